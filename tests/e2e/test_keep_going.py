"""A run over several checkpoints of which some cannot be decoded; progress as a program reads it; runs compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.results.folder import open_run

ROOT = Path(__file__).resolve().parents[2]
GRID = """
[run]
name = "epochs"
[model]
checkpoint = {checkpoints}
[data]
dataset = "catfaces"
count = 6
[grid]
gamma = "cosine"
total_iter = 2
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 1
[execution]
tile = 4
batch_size = 1
threads = 1
device = "cpu"
"""
GREEDY = """
import torch
from pathlib import Path
from maskgit.checkpoints.native import load_model
from maskgit.checkpoints.locate import locate

FINGERPRINT = "greedy"


class Greedy:
    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def logits(self, tokens):
        return torch.empty(1 << 55, dtype=torch.uint8)


def factory():
    return Greedy(load_model(locate({checkpoint!r}, Path.cwd())))
"""
TIMED = ["images_per_s", "ms_per_image", "throughput_source"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Checkpoints: good, cut short in its weights, and one that takes more memory than there is."""
    shutil.copytree(tiny_checkpoint, tmp_path / "good")
    shutil.copytree(tiny_checkpoint, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "transformer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (tmp_path / "greedy_model.py").write_text(GREEDY.format(checkpoint=str(tiny_checkpoint)))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def grid(folder: Path, *checkpoints: str) -> Path:
    path = folder / f"grid-{len(checkpoints)}.toml"
    path.write_text(GRID.format(checkpoints=json.dumps(checkpoints)))
    return path


def test_what_cannot_be_decoded_is_skipped_and_the_rest_is_as_if_run_alone(folder: Path) -> None:
    several = grid(folder, "missing", "damaged", "python:greedy_model:factory", "good")
    result = invoke("run", several, "--output", folder / "run", "--keep-going")
    assert result.exit_code == 4, result.output
    record = json.loads((folder / "run" / "run.json").read_text())
    assert record["complete"] is False
    reasons = {one["checkpoint"]: one["reason"] for one in record["skipped"]}
    assert len(reasons) == 3
    assert "no folder" in reasons["missing"]
    assert any("sha256" in reason or "damaged" in reason for reason in reasons.values())
    assert any("out of memory" in reason for reason in reasons.values())
    for name, reason in reasons.items():
        assert f"skipped {name}: {reason}" in result.stderr
    assert "incomplete" in result.stdout
    assert "Checkpoint missing was skipped" in " ".join(result.stdout.split())
    assert invoke("run", grid(folder, "good"), "--output", folder / "alone").exit_code == 0
    ours, alone = (open_run(folder / name) for name in ("run", "alone"))
    pd.testing.assert_frame_equal(ours.cells.drop(columns=TIMED), alone.cells.drop(columns=TIMED), check_exact=True)
    assert record["counts"]["cells"] == len(ours.cells) == 2


def test_once_mended_the_same_command_completes_the_run(folder: Path) -> None:
    both = grid(folder, "good", "damaged")
    assert invoke("run", both, "--output", folder / "run", "--keep-going", "--quiet").exit_code == 4
    assert invoke("gate", folder / "run", "--baseline", folder / "run").exit_code == 4
    shutil.copytree(folder / "good", folder / "damaged", dirs_exist_ok=True)
    assert invoke("run", both, "--output", folder / "run", "--keep-going", "--quiet").exit_code == 0
    assert open_run(folder / "run").complete
    assert len(open_run(folder / "run").cells) == 4


def test_without_it_the_first_failure_stops_the_run_and_nothing_is_written(folder: Path) -> None:
    for broken in ("missing", "damaged"):
        result = invoke("run", grid(folder, "good", broken), "--output", folder / "run")
        assert result.exit_code == 2
        assert not (folder / "run").exists()
    result = invoke("run", grid(folder, "python:greedy_model:factory"), "--output", folder / "run")
    assert result.exit_code == 2
    assert "out of memory" in result.stderr


def test_if_every_checkpoint_fails_so_does_the_run(folder: Path) -> None:
    result = invoke("run", grid(folder, "missing", "damaged"), "--output", folder / "run", "--keep-going")
    assert result.exit_code == 2
    assert not (folder / "run").exists()


def test_logs_are_json_line_by_line_errors_among_them(folder: Path) -> None:
    command = [sys.executable, "-m", "bench.cli", "run", "--json-logs", "--quiet", "--keep-going"]
    several = [str(grid(folder, "missing", "good")), "--output", str(folder / "run")]
    done = subprocess.run([*command, *several], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 4
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines[:2]] == ["start", "skip"]
    assert lines[-1]["event"] == "end"
    assert lines[-1]["finished"]
    stages = list(dict.fromkeys(line["stage"] for line in lines if "stage" in line))
    assert stages == ["reference", "inpaint", "throughput", "score"]
    shares = [line["share"] for line in lines if "share" in line]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert lines[-1]["total"] == lines[-1]["done"] == 2 * 6
    blocks = {line["block"] for line in lines if line.get("stage") == "inpaint"}
    assert blocks == {1, 2}
    best = lines[-1]["best"]
    cells = open_run(folder / "run").cells.set_index("cell_id")
    assert best == {"cell_id": cells.fd.idxmin(), "metric": "fd", "value": cells.fd.min(), "images": 6}
    so_far = next(line["best"] for line in lines if line.get("stage") == "throughput")
    assert so_far["metric"] == "psnr_hole_db"
    assert so_far["images"] == 6
    assert so_far["value"] == pytest.approx(cells.psnr_hole_db.max(), rel=1e-6)
    assert so_far["cell_id"] == cells.psnr_hole_db.idxmax()
    failed = subprocess.run([*command, str(folder / "none.toml")], cwd=ROOT, capture_output=True, text=True)
    error = json.loads(failed.stderr)
    assert (error["event"], error["exit_code"]) == ("error", failed.returncode) == ("error", 2)


def test_a_run_compared_with_itself_is_equal_and_with_fewer_images_refused(folder: Path) -> None:
    one = grid(folder, "good")
    assert invoke("run", one, "--output", folder / "a", "--quiet").exit_code == 0
    assert invoke("run", one, "--output", folder / "few", "--quiet", "--limit", 5).exit_code == 0
    result = invoke("compare", folder / "a", folder / "a", "--format", "json")
    assert result.exit_code == 0, result.output
    for row in json.loads(result.stdout)["rows"]:
        assert row["results"][1]["against_first"]["verdict"] == "equal"
    refused = invoke("compare", folder / "a", folder / "few")
    assert refused.exit_code == 3
    assert "1 image (5) only in" in refused.stderr
