"""Confirmation on fresh seeds: which cells, the same store, selected next to confirmed scores in every format."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.report.confirm import FOLDER, candidates
from bench.report.view import build
from bench.results.influences import read_influences

if TYPE_CHECKING:
    from pathlib import Path


def test_candidates_are_decoded_again_on_fresh_seeds(small_run: Path) -> None:
    run = small_run.parent / "confirmed"  # beside the run, since paths in its record are relative
    shutil.copytree(small_run, run)
    before = build(run)
    assert before.confirmation is None
    chosen = candidates(before, 3)
    assert before.best is not None
    assert chosen[0] == before.best
    assert all(before.difference_from_best(cell.cell_id).within_noise for cell in chosen)  # type: ignore[union-attr]
    result = CliRunner().invoke(app, ["confirm", str(run), "--seeds", "2", "--candidates", "3", "--quiet"])
    assert result.exit_code == 0, result.output
    again = bench.load(run / FOLDER)
    assert sorted(again.cells.seed.unique()) == [
        max(bench.load(run).cells.seed) + 1,
        max(bench.load(run).cells.seed) + 2,
    ]
    assert len(again.cells) == 2 * len(chosen)
    assert not (run / FOLDER / "store").exists()
    view = build(run)
    assert view.confirmation is not None
    rows = {row.cell_id: row for row in view.confirmation.cells}
    assert set(rows) == {cell.cell_id for cell in chosen}
    influences = read_influences(again)
    for cell in chosen:
        fresh = again.cells[
            (again.cells.gamma == cell.gamma)
            & (again.cells.total_iter == cell.total_iter)
            & (again.cells.sweet_spot == cell.sweet_spot)
        ]
        assert rows[cell.cell_id].selected == cell.score
        assert rows[cell.cell_id].score == pytest.approx(fresh.score.mean())
        assert rows[cell.cell_id].se == pytest.approx(influences.se(influences.on_mean(fresh.cell_id.tolist())))
    assert np.isclose(rows[view.best.cell_id].change, 0)  # type: ignore[union-attr]
    body = json.loads(CliRunner().invoke(app, ["report", str(run), "--json"]).stdout)
    assert [row["cell_id"] for row in body["confirmation"]["cells"]] == list(rows)
    assert "Confirmed on fresh seeds" in CliRunner().invoke(app, ["report", str(run), "--full"]).stdout
    record = json.loads((run / FOLDER / "run.json").read_text())
    assert record["spec"]["execution"]["store"]
