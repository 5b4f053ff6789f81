"""One run folder, one run: it is resumed and added to, never silently replaced, and never written by two at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import bench
from bench.cli import app
from bench.run.lock import locked

ROOT = Path(__file__).resolve().parents[2]
GRID = """
[model]
checkpoint = "{checkpoint}"
[data]
dataset = "catfaces"
count = 8
[grid]
gamma = "cosine"
total_iter = 2
sweet_spot = {spots}
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
warm_up = 0
[execution]
tile = 4
threads = 1
device = "cpu"
store = "{store}"
"""
TIMED = ["images_per_s", "ms_per_image"]


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write_grid(path: Path, checkpoint: Path, spots: str = "[2]", store: str = "store") -> Path:
    path.write_text(GRID.format(checkpoint=checkpoint.as_posix(), spots=spots, store=store), encoding="utf-8")
    return path


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plan_of(grid: Path, folder: Path, *options: Any) -> dict[str, Any]:
    return json.loads(invoke("plan", grid, "--output", folder, "--json", *options).stdout)["folder"]


@pytest.fixture(scope="module")
def grid(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grid(tmp_path_factory.mktemp("grid") / "mine.toml", tiny_checkpoint)


def test_more_images_are_added_and_the_first_are_not_decoded_again(grid: Path) -> None:
    folder = grid.parent / "mine"
    assert invoke("run", grid, "--output", folder, "--limit", 4, "--quiet").exit_code == 0
    assert plan_of(grid, folder) == {"path": str(folder), "action": "amend", "changes": ["images: 4 → 8"]}
    assert invoke("run", grid, "--output", folder, "--quiet").exit_code == 0
    run = bench.load(folder)
    assert len(run.test_set) == 8
    assert (run.cells.n_images == 8).all()
    assert run.record.counts["transformer_passes_run"] == 4 * (2 + 1) - 4, "two steps of four images, the first shared"
    assert run.test_set.groupby("block").size().tolist() == [4, 4]
    whole = invoke("run", grid, "--output", grid.parent / "whole", "--set", "execution.store=elsewhere", "--quiet")
    assert whole.exit_code == 0
    undisturbed = bench.load(grid.parent / "whole")
    assert undisturbed.test_set.groupby("block").size().tolist() == [8]
    pd.testing.assert_frame_equal(
        run.cells.drop(columns=TIMED), undisturbed.cells.drop(columns=TIMED), check_exact=True
    )
    # Now fewer images are another run, and nothing is touched.
    before = files(folder)
    refused = invoke("run", grid, "--output", folder, "--limit", 4, "--quiet")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    for text in ("data: 8 images → 4, data.limit: none → 4", "--output", "--replace"):
        assert text in refused.stderr
    assert files(folder) == before
    planned = plan_of(grid, folder, "--limit", 4)
    assert planned["action"] == "refuse"
    assert planned["changes"][0] in refused.stderr
    text = invoke("plan", grid, "--output", folder, "--limit", 4, "--format", "markdown").stdout
    assert "refused without --replace: another run is in it (data: 8 images → 4" in text
    assert plan_of(grid, folder)["action"] == "resume"
    assert invoke("run", grid, "--output", folder, "--limit", 4, "--replace", "--quiet").exit_code == 0
    assert bench.load(folder).record.counts["transformer_passes_run"] == 0
    assert len(bench.load(folder).test_set) == 4


def test_the_name_is_that_of_the_file_unless_given(grid: Path, tmp_path: Path) -> None:
    assert bench.load_spec(grid).run.name == "mine"
    odd = tmp_path / "my grid (2).toml"
    odd.write_text(grid.read_text())
    assert bench.load_spec(odd).run.name == "my-grid--2-"
    odd.write_text(f'[run]\nname = "given"\n{grid.read_text()}')
    assert bench.load_spec(odd).run.name == "given"
    assert bench.load_spec(ROOT / "benchmark.toml").run.name == "default"


def test_a_folder_in_use_is_refused_and_reading_is_not(grid: Path, small_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "busy"
    folder.mkdir()
    with locked(folder):
        refused = invoke("run", grid, "--output", folder, "--quiet")
        assert refused.exit_code == 2
        assert "in use by process" in refused.stderr
        assert "--wait" in refused.stderr
        assert not (folder / "run.json").exists()
    with locked(small_run):
        assert invoke("report", small_run, "--format", "json").exit_code == 0


def start(*arguments: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.cli", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_two_processes_share_a_store_and_both_finish(tiny_checkpoint: Path, grid: Path, tmp_path: Path) -> None:
    """Runs that differ in the sweet spot continue each other's trajectories while the other one writes them."""
    grids = {
        name: write_grid(tmp_path / f"{name}.toml", tiny_checkpoint, spots, "shared")
        for name, spots in (("one", "[1]"), ("two", "[1, 2]"))
    }
    processes = [
        start("run", path, "--output", tmp_path / name, "--quiet", "--set", "execution.batch_size=1")
        for name, path in grids.items()
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert not errors
    alone = tmp_path / "alone"
    assert invoke("run", grids["two"], "--output", alone, "--set", "execution.store=own", "--quiet").exit_code == 0
    together = bench.load(tmp_path / "two").cells.drop(columns=TIMED)
    pd.testing.assert_frame_equal(together, bench.load(alone).cells.drop(columns=TIMED), check_exact=True)
    assert bench.load(tmp_path / "one").cells.score.item() == together[together.sweet_spot == 1].score.item()
    assert not list((tmp_path / "shared" / "trajectories").rglob("damaged"))


def test_two_processes_on_one_folder_take_turns(grid: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    processes = [start("run", grid, "--output", folder, "--quiet", "--wait", "--limit", 4) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert bench.load(folder).complete
    assert not list(folder.glob(".maskbench-lock"))
