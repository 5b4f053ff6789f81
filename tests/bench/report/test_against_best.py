"""Every cell compared with the best: paired error of the difference, tied cells, the same numbers in every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bench.report.against_best import AgainstBest
from bench.report.as_json import render_json
from bench.report.as_table import table
from bench.report.html.render import render_html
from bench.report.sections.scores import above_best
from bench.report.sections.summary import tied_line
from bench.report.view import build

from .rendering import markdown, terminal

if TYPE_CHECKING:
    from bench.results.cells import Cell

MakeRun = Callable[..., Path]


def test_the_error_is_that_of_the_difference_with_copies_taken_together(make_run: MakeRun) -> None:
    run = make_run(total_iters=(4,), n_images=40)
    view = build(run)
    images = pd.read_parquet(run / "images.parquet").merge(pd.read_parquet(run / "test_set.parquet"), on="image_id")
    assert images.copy_of.nunique() < 40
    by_image = images.groupby(["cell_id", "copy_of"]).influence.sum().unstack(0)
    assert view.best is not None
    assert view.best.score is not None
    assert len(view.against_best) == len(view.cells)
    for entry, cell in zip(view.against_best, view.cells, strict=True):
        assert entry.cell_id == cell.cell_id
        assert cell.score is not None
        assert entry.change == cell.score - view.best.score >= 0
        difference = by_image[cell.cell_id] - by_image[view.best.cell_id]
        assert entry.change_se == pytest.approx(np.linalg.norm(difference) / 40)
        assert entry.distinguishable == (entry.change > 2 * entry.change_se)
    assert [entry.distinguishable for entry in view.against_best if entry.cell_id == view.best.cell_id] == [False]


def test_cells_within_noise_of_the_best_are_counted_and_the_fastest_is_recommended(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(gammas=("cosine",), total_iters=(4,), n_images=32)
    plain = build(run)
    assert plain.best is not None
    best = plain.best.cell_id
    others = [cell for cell in plain.cells if cell.cell_id != best]

    def seen(unsure: list[Cell]) -> tuple[str, str]:
        """The sentence and the recommended cell if the changes of some cells are within their errors."""
        wide = {cell.cell_id for cell in unsure}
        compared = tuple(
            AgainstBest(cell.cell_id, float(cell.cell_id != best), 0.51 if cell.cell_id in wide else 0.49)
            for cell in plain.cells
        )
        with monkeypatch.context() as patch:
            patch.setattr("bench.report.view.against_best", lambda *_: compared)
            view = build(run)
        (tied,) = [headline for headline in view.headlines if headline.kind == "tied"]
        return tied_line(view), tied.cell_id

    assert seen([])[0].startswith("0 of 3 other cells")
    assert seen([])[1] == best
    sentence, recommended = seen(others[:2])
    assert sentence.startswith("2 of 3 other cells")
    assert recommended == min(others[:2], key=lambda cell: cell.sweet_spot).cell_id, "fewer steps are faster"


def test_every_format_says_the_same(make_run: MakeRun) -> None:
    view = build(make_run(n_images=32))
    page, in_markdown, in_terminal = render_html(view), markdown(view), re.sub(r"\s+", " ", terminal(view, width=200))
    line = tied_line(view)
    assert line
    for text in (page, in_markdown, in_terminal):
        assert line in text
    for point in view.front[:-1]:
        above = above_best(view, point.cell_id)
        assert f">{above}</td>" in page
        assert f"| {above} |" in in_markdown
        assert f" {above} " in in_terminal
    changes = [(entry.cell_id, entry.change, entry.change_se) for entry in view.against_best]
    body = json.loads(render_json(view))
    assert [(entry["cell_id"], entry["change"], entry["change_se"]) for entry in body["against_best"]] == changes
    rows = table(view, "grids").to_pylist()
    assert [(row["cell_id"], row["change"], row["change_se"]) for row in rows] == changes


def test_without_influences_nothing_is_claimed(make_run: MakeRun) -> None:
    run = make_run(complete=False, n_images=32)
    (run / "images.parquet").unlink()
    view = build(run)
    assert all(entry.change_se is None and entry.distinguishable is None for entry in view.against_best)
    assert tied_line(view) == ""
