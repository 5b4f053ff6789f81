"""A run on several workers, predicted: the sizes bound those of a real run, and grow as they should."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bench.cli import app

if TYPE_CHECKING:
    from pathlib import Path


def predicted(grid: Path, run: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["plan", str(grid), "--output", str(run), "--json", *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["scale"]


def raw_bytes(file: Path) -> int:
    """Size of a Parquet file before compression and without repeats of equal values."""
    return pq.read_table(file).nbytes


def test_the_predicted_disk_bounds_a_real_run(small_grid: Path, small_run: Path) -> None:
    files = [*(small_run / "store").rglob("*.parquet"), small_run / "images.parquet"]
    real = sum(map(raw_bytes, files))
    assert real <= predicted(small_grid, small_run, "--workers", "1")["disk_mb"] * 1e6 <= 3 * real


def test_workers_share_whole_blocks(small_grid: Path, small_run: Path) -> None:
    alone = predicted(small_grid, small_run, "--images", "50000")
    for workers in (2, 7, alone["blocks"], 10 * alone["blocks"]):
        together = predicted(small_grid, small_run, "--workers", str(workers), "--images", "50000")
        rounds = math.ceil(alone["blocks"] / workers)
        assert together["blocks_s"] == pytest.approx(alone["blocks_s"] * rounds / alone["blocks"])
        assert together["disk_mb"] == alone["disk_mb"]


def test_a_worker_holds_one_block_and_the_run_all_values(small_grid: Path, small_run: Path) -> None:
    few, many = (predicted(small_grid, small_run, "--images", images) for images in ("5000", "50000"))
    assert few["worker_memory_mb"] == many["worker_memory_mb"]
    assert few["driver_memory_mb"] < many["driver_memory_mb"] < 10 * few["driver_memory_mb"]
    assert many["network_mb"] == pytest.approx(10 * few["network_mb"])


def test_an_unknown_speed_is_assumed_and_said(small_grid: Path, small_run: Path, tmp_path: Path) -> None:
    measured, assumed = (predicted(small_grid, run, "--workers", "2") for run in (small_run, tmp_path))
    assert "measured, on every worker" in measured["assumptions"][0]
    assert "which no run in this folder has measured" in assumed["assumptions"][0]


def test_without_the_options_nothing_is_predicted(small_grid: Path, small_run: Path) -> None:
    assert predicted(small_grid, small_run) is None
