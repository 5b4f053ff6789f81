"""Metrics that are measured only where asked for: in the tables and the report, without decoding anything again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app

if TYPE_CHECKING:
    from pathlib import Path

SUPPORT = {"precision", "recall", "density", "coverage"}


@pytest.fixture(scope="module")
def run(small_grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven images, first without and then with the extra metrics."""
    folder = tmp_path_factory.mktemp("extra")
    text = small_grid.read_text(encoding="utf-8").replace("count = 5", "count = 7")
    (folder / "grid.toml").write_text(text, encoding="utf-8")
    bench.run(bench.load_spec(folder / "grid.toml"), folder / "run", base=folder, quiet=True)
    extra = text.replace("[metrics]", '[metrics]\nextra = ["mind", "prdc"]')
    (folder / "grid.toml").write_text(extra, encoding="utf-8")
    return bench.run(bench.load_spec(folder / "grid.toml"), folder / "run", base=folder, quiet=True)


def test_they_need_no_decoding(run: Path) -> None:
    assert bench.load(run).record.counts["transformer_passes_run"] == 0


def test_every_cell_and_reference_row_has_them_with_errors(run: Path) -> None:
    opened = bench.load(run)
    for table, cell in ((opened.metrics, "cell_id"), (opened.table("references").to_pandas(), "reference")):
        rows = table[table.metric.isin(SUPPORT | {"monge_distance"})]
        assert rows.groupby(cell).metric.nunique().eq(5).all()
        assert rows.groupby(cell).ngroups == table.groupby(cell).ngroups
        assert (rows.se >= 0).all()
        assert (rows[rows.metric == "monge_distance"].value > 0).all()


def test_the_report_names_them_for_what_they_are(run: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(run), "--format", "markdown"])
    assert result.exit_code == 0, result.output
    assert "SW2 (efficientnet-lite0)" in result.stdout
    assert "MIND" not in result.stdout
    assert {word.strip("| ") for line in result.stdout.splitlines() for word in line.split(" | ")} >= SUPPORT


def test_too_few_images_and_unknown_names_are_refused_before_anything_runs(small_grid: Path, tmp_path: Path) -> None:
    text = small_grid.read_text(encoding="utf-8")
    for extra, line in (
        ("prdc", '"prdc" needs at least 6 images, and the test set has 5'),
        ("lpips", "known: mind, prdc, or python:./file.py:function"),
        ("P-IDS", "2 N <= D + 1"),
    ):
        (tmp_path / "grid.toml").write_text(
            text.replace("[metrics]", f'[metrics]\nextra = "{extra}"'), encoding="utf-8"
        )
        result = CliRunner().invoke(app, ["run", str(tmp_path / "grid.toml"), "--output", str(tmp_path / "run")])
        assert result.exit_code == 2
        assert line in result.stderr
        assert not (tmp_path / "run").exists()
