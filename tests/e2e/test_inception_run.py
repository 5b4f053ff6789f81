"""A run on pytorch-fid's Inception with weights that are not the official ones: never FID, and every table says so."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import torch
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.features.inception import fid_inception

if TYPE_CHECKING:
    from pathlib import Path

GRID = """
[model]
checkpoint = {checkpoint}
[data]
dataset = "catfaces"
count = 4
[grid]
total_iter = 2
[metrics]
features = ["inception", "efficientnet-lite0"]
weights = "weights.pth"
[throughput]
repeats = 1
[execution]
tile = 4
device = "cpu"
"""


@pytest.fixture(scope="module")
def grid(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inception")
    torch.manual_seed(0)
    torch.save(fid_inception().state_dict(), folder / "weights.pth")
    (folder / "grid.toml").write_text(GRID.format(checkpoint=json.dumps(str(tiny_checkpoint))), encoding="utf-8")
    return folder / "grid.toml"


def test_other_weights_run_only_when_allowed_and_are_never_called_fid(grid: Path) -> None:
    output = grid.parent / "run"
    refused = CliRunner().invoke(app, ["run", str(grid), "--output", str(output), "--quiet"])
    assert refused.exit_code == 2
    assert "sha256" in refused.stderr
    assert not output.exists()

    result = CliRunner().invoke(app, ["run", str(grid), "--output", str(output), "--allow-unverified-weights"])
    assert result.exit_code == 0, result.output
    run = bench.load(output)
    assert "fid" not in run.cells
    assert (run.cells.features == "inception").all()
    assert not run.cells.features_verified.any()
    assert set(run.metrics.features) == {
        "inception",
        "efficientnet-lite0",
        "",
    }  # the last: numbers that need no extractor
    of_an_extractor, of_the_pictures = 5, 7
    assert len(run.metrics) == (2 * of_an_extractor + of_the_pictures) * len(run.cells)
    assert any("unverified" in warning for warning in run.record.warnings)
    assert "unverified" in result.stdout
    assert "FID" not in " ".join(result.stdout.split()).replace("is not FID", "")


def test_the_known_weights_in_the_hub_cache_make_it_fid(
    grid: Path, random_inception: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded weights stand in for the official ones: their sha256 is the known one for this test."""
    digest = hashlib.sha256(random_inception.read_bytes()).hexdigest()
    monkeypatch.setenv("TORCH_HOME", str(random_inception.parents[2]))
    monkeypatch.setattr("bench.features.sources.INCEPTION_SHA256", digest)
    path = tmp_path / "grid.toml"
    path.write_text(grid.read_text().replace('weights = "weights.pth"\n', ""), encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(path), "--output", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    run = bench.load(tmp_path / "run")
    assert {"fid", "fid_se", "kid", "kid_se"} <= set(run.cells)
    assert "fd" not in run.cells
    assert run.cells.features_verified.all()
    assert not any("unverified" in warning for warning in run.record.warnings)
    assert "FID" in result.stdout
    cell = run.cells.iloc[0]
    for command in (
        ["export", str(tmp_path / "run"), str(tmp_path / "pictures"), "--cell", cell.cell_id],
        ["data", "catfaces", str(tmp_path / "faces"), "--count", "4"],
    ):
        assert CliRunner().invoke(app, command).exit_code == 0
    sides = [str(tmp_path / "pictures"), str(tmp_path / "faces" / "test_gt")]
    result = CliRunner().invoke(app, ["fid", *sides, "--paired", "--json", "--quiet", "--device", "cpu", "--no-cache"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["fid"] == pytest.approx(cell.fid, rel=1e-4)
