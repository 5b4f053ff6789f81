"""A decoding setting, a gamma, a metric and an extractor declared outside the packages reach every part that they concern."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.grid.plan import Plan, make_plan
from bench.grid.spec import parse_spec

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "examples" / "own-parts"
GRID = """
[model]
checkpoint = "{checkpoint}"
[data]
dataset = "catfaces"
count = 8
[grid]
gamma = ["cosine", "smoothstep"]
total_iter = 2
sweet_spot = [2]
sampling = ["categorical", "nucleus"]
top_p = [0.5, 1.0]
compose = "paste"
[metrics]
features = ["colours"]
[throughput]
repeats = 1
checks = 1
[execution]
device = "cpu"
threads = 1
"""


def maskbench(*arguments: object) -> str:
    """The command line after the declarations, in a process of its own."""
    code = "import parts; from bench.cli import main; main()"
    path = os.pathsep.join(map(str, [PARTS, ROOT]))
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def run(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "grid.toml").write_text(GRID.format(checkpoint=tiny_checkpoint), encoding="utf-8")
    maskbench("run", folder / "grid.toml", "--output", folder / "run", "--quiet")
    return folder / "run"


def known_plan() -> Plan:
    """The cells of the grid that need no declaration, as this process, which knows of none, makes them."""
    raw = {
        "model": {"checkpoint": "x"},
        "data": {"dataset": "catfaces"},
        "grid": {"total_iter": 2, "sweet_spot": [2], "compose": "paste"},
    }
    return make_plan(parse_spec(raw, "grid.toml"), ("tiny",))


def test_each_is_an_axis_a_column_and_a_key(run: Path) -> None:
    opened = bench.load(run)
    cells = opened.cells
    assert len(cells) == 8
    assert cells.cell_id.is_unique
    assert cells.trajectory_id.is_unique
    assert set(zip(cells.gamma, cells.sampling, cells.top_p, strict=True)) == {
        (gamma, sampling, top_p)
        for gamma in ("cosine", "smoothstep")
        for sampling in ("categorical", "nucleus")
        for top_p in (0.5, 1.0)
    }
    assert (cells.mae_ring > 0).all()
    assert (opened.images.mae_ring >= 0).all()
    assert "mae_ring" in set(opened.metrics.metric)
    assert "mae_ring" in set(opened.table("references")["metric"].to_pylist())
    assert set(cells.score_name) == {"FD (colours)"}
    assert cells.score.notna().all()


def test_the_setting_acts_where_it_is_read_and_nowhere_else(run: Path) -> None:
    cells = bench.load(run).cells.set_index(["gamma", "sampling", "top_p"])
    for gamma in ("cosine", "smoothstep"):
        assert cells.score[gamma, "nucleus", 0.5] != cells.score[gamma, "nucleus", 1.0]
        assert cells.score[gamma, "categorical", 0.5] == cells.score[gamma, "categorical", 1.0]


def test_a_neutral_value_keeps_the_ids_of_a_version_without_the_setting(run: Path) -> None:
    cells = bench.load(run).cells
    neutral = cells[(cells.gamma == "cosine") & (cells.sampling == "categorical") & (cells.top_p == 1.0)]
    assert [cell.cell_id for cell in known_plan().cells] == neutral.cell_id.tolist()
    assert [t.trajectory_id for t in known_plan().trajectories] == neutral.trajectory_id.tolist()


def test_reports_show_them(run: Path) -> None:
    content = json.loads(maskbench("report", run, "--format", "json"))
    assert content["metric"]["column"] == "FD (colours)"
    assert content["varied"] == {"top_p": [0.5, 1.0], "sampling": ["categorical", "nucleus"]}
    assert all(cell["mae_ring"] > 0 for cell in content["cells"])
    assert "mae_ring" in content["hole_bins"][0]
    assert "MAE at the hole's border" in maskbench("report", run, "--format", "markdown")


def test_a_second_run_decodes_nothing(run: Path) -> None:
    maskbench("run", run.parent / "grid.toml", "--output", run, "--quiet")
    assert bench.load(run).record.counts["transformer_passes_run"] == 0


@pytest.mark.parametrize("command", [["report"], ["gate", "--baseline", "RUN"], ["show"], ["compare", "RUN"]])
def test_a_process_that_lacks_the_declarations_names_the_setting(run: Path, command: list[str]) -> None:
    arguments = [command[0], str(run), *(str(run) if part == "RUN" else part for part in command[1:])]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert (
        "its grid has gamma = 'smoothstep', sampling = 'nucleus', the setting top_p, not declared here" in result.stderr
    )
    assert "import the module that declares it" in result.stderr
