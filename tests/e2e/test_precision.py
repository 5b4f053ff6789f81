"""A run in bfloat16 is a run of its own: other keys, and a comparison with a float32 run says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app

if TYPE_CHECKING:
    from pathlib import Path


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


@pytest.fixture(scope="module")
def bf16_run(small_grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bf16") / "run"
    invoke("run", small_grid, "--output", folder, "--quiet", "--set", 'execution.precision="bf16"')
    return folder


def test_the_scores_are_close_and_not_the_same(small_run: Path, bf16_run: Path) -> None:
    scores = [pd.read_parquet(folder / "cells.parquet").score for folder in (small_run, bf16_run)]
    assert not scores[0].equals(scores[1])
    assert scores[1].to_numpy() == pytest.approx(scores[0].to_numpy(), rel=0.2)


def test_compare_and_gate_say_that_the_precisions_differ(small_run: Path, bf16_run: Path) -> None:
    assert "different precisions (float32, bf16)" in invoke("compare", small_run, bf16_run)
    assert "float32 → bf16" in invoke(
        "gate", bf16_run, "--baseline", small_run, "--inconclusive", "pass", "--alpha", 0.001
    )


def test_runs_of_one_precision_are_compared_without_a_remark(small_run: Path) -> None:
    assert "precision" not in invoke("compare", small_run, small_run)
    assert "rounding is part" not in invoke("gate", small_run, "--baseline", small_run)
