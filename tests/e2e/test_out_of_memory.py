"""A tile that does not fit into memory: the run goes on with a smaller one, says so, and is exactly a run with that tile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import bench
from bench.cli import app

if TYPE_CHECKING:
    from pathlib import Path

GRID = """
[model]
checkpoint = {checkpoints}
[data]
dataset = "catfaces"
count = 7
[grid]
gamma = ["cosine", "linear"]
total_iter = 3
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
[execution]
tile = {tile}
batch_size = 1
threads = 1
device = "cpu"
"""
GREEDY = """
import torch
import maskgit

FINGERPRINT = "greedy"


class Greedy:
    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def logits(self, tokens):
        if len(tokens) > {fits}:
            torch.empty(1 << 55, dtype=torch.uint8)  # an allocation that truly fails
        return self.model.logits(tokens)


def factory():
    return Greedy(maskgit.load_model({checkpoint!r}, "cpu"))
"""
TIMED = ["images_per_s", "ms_per_image", "throughput_source", "checkpoint", "cell_id", "trajectory_id"]


def run(folder: Path, name: str, tile: int, checkpoints: list[str], *options: str) -> Result:
    (folder / f"{name}.toml").write_text(GRID.format(checkpoints=json.dumps(checkpoints), tile=tile))
    command = ["run", str(folder / f"{name}.toml"), "--output", str(folder / name), "--quiet", *options]
    return CliRunner().invoke(app, command)


@pytest.fixture
def folder(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    for fits in (0, 2):
        (tmp_path / f"greedy_{fits}.py").write_text(GREEDY.format(fits=fits, checkpoint=str(tiny_checkpoint)))
    return tmp_path


def test_the_run_with_a_smaller_tile_is_the_run_that_began_with_it(folder: Path, tiny_checkpoint: Path) -> None:
    greedy = ["python:./greedy_2.py:factory"]
    result = run(folder, "halved", 8, greedy)
    assert result.exit_code == 0, result.stderr
    assert (
        "a tile of 8 images does not fit into memory; all results of the run are computed with tiles of 2"
        in result.stderr
    )
    assert run(folder, "small", 2, [str(tiny_checkpoint)]).exit_code == 0
    halved, small = bench.load(folder / "halved"), bench.load(folder / "small")
    assert halved.record.numerics is not None
    assert halved.record.numerics.tile == 2
    assert any("A tile of 8 images did not fit" in warning for warning in halved.record.warnings)
    pd.testing.assert_frame_equal(halved.cells.drop(columns=TIMED), small.cells.drop(columns=TIMED))
    again = run(folder, "halved", 8, greedy)
    assert again.exit_code == 0, again.stderr
    assert "does not fit" not in again.stderr, "the folder remembers"
    assert bench.load(folder / "halved").record.counts["transformer_passes_run"] == 0


def test_a_model_of_which_no_image_fits_is_the_failure_it_was(folder: Path, tiny_checkpoint: Path) -> None:
    alone = run(folder, "alone", 4, ["python:./greedy_0.py:factory"])
    assert alone.exit_code == 2
    assert "out of memory" in alone.stderr
    assert "execution.tile" in alone.stderr
    both = run(folder, "both", 4, ["python:./greedy_0.py:factory", str(tiny_checkpoint)], "--keep-going")
    assert both.exit_code == 4, both.stderr
    record = bench.load(folder / "both").record
    assert record.numerics is not None
    assert record.numerics.tile == 4, "the others keep their tile"
    assert [skipped.checkpoint for skipped in record.skipped] == ["greedy_0:factory"]
