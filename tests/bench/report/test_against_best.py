"""Every cell compared with the best: paired error of the difference, tied cells, the same numbers in every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.metrics.multiple_comparisons import compare_with_best
from bench.report.against_best import AgainstBest, Selection
from bench.report.as_json import render_json
from bench.report.as_table import table
from bench.report.html.render import render_html
from bench.report.sections.scores import above_best
from bench.report.sections.summary import tied_line
from bench.report.view import build
from bench.results.schema import IMAGES

from .rendering import markdown, terminal

if TYPE_CHECKING:
    from bench.report.view import View
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
    assert [entry.within_noise for entry in view.against_best if entry.cell_id == view.best.cell_id] == [True]
    in_order = [entry.cell_id for entry in view.against_best]
    by_cell = by_image[in_order].to_numpy().T
    scores = [cell.score for cell in view.cells]
    expected = compare_with_best(scores, by_cell * len(by_image) / 40)
    assert [entry.within_noise for entry in view.against_best] == expected.within_noise.tolist()
    assert view.selection is not None
    assert view.selection.within_noise == expected.within_noise.sum()


def test_cells_within_noise_of_the_best_are_counted_and_the_fastest_near_it_is_recommended(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(gammas=("cosine",), total_iters=(4,), n_images=32)
    plain = build(run)
    assert plain.best is not None
    assert plain.answer is not None
    best = plain.best.cell_id
    others = sorted((cell for cell in plain.cells if cell.cell_id != best), key=lambda cell: cell.sweet_spot)

    def seen(tied: list[Cell], change: float = 1.0) -> View:
        """The view if some cells are within noise of the best."""
        within = {best, *(cell.cell_id for cell in tied)}
        compared = tuple(
            AgainstBest(c.cell_id, change * (c.cell_id != best), 0.5, c.cell_id in within) for c in plain.cells
        )
        selection = Selection(0.95, len(compared), len(within), 2.5, 0.1, 0.2)
        with monkeypatch.context() as patch:
            patch.setattr("bench.report.view.against_best", lambda *_: (compared, selection))
            return build(run)

    alone = seen([])
    assert tied_line(alone).startswith("0 of 3 other cells")
    assert alone.answer is not None
    assert (alone.answer.cell_id, alone.answer.sentence[-52:]) == (
        best,
        "s 4: the best cell, and the fastest that is as good.",
    )
    two = seen(others[:2])
    assert tied_line(two).startswith("2 of 3 other cells")
    assert two.answer is not None
    assert two.answer.cell_id == others[0].cell_id, "fewer steps are faster"
    assert "within noise of the best cell (1.00 ± 0.50), " in two.answer.sentence
    worse = next(headline for headline in alone.headlines if headline.cell_id != best)
    assert "significantly worse than the best cell (1.00 ± 0.50), " in worse.sentence
    beyond = seen(others, change=0.11 * (41.7312 - 14.2137))
    assert beyond.answer is not None
    assert beyond.answer.cell_id == best, "within noise, but more than a tenth of the span above the best"


def test_one_step_within_noise_of_the_best_is_said(make_run: MakeRun) -> None:
    noisy = build(make_run("noisy", total_iters=(4,), n_images=8))
    assert noisy.one_step is not None
    assert noisy.one_step.within_noise
    assert next(c.text for c in noisy.caveats if c.code == "one_step").startswith(
        "Iterating does not pay here: one step"
    )
    run = make_run("clear", total_iters=(4,), n_images=40)
    images = pd.read_parquet(run / "images.parquet")
    images["influence"] *= 1e-3
    one_step = images.cell_id.str.endswith("s01")
    images["psnr_hole_db"] += 9.0 * one_step
    pq.write_table(pa.Table.from_pandas(images, IMAGES, preserve_index=False), run / "images.parquet")
    clear = build(run)
    assert clear.one_step is not None
    assert clear.one_step.within_noise is False
    assert clear.one_step.psnr_db is not None
    (caveat,) = [caveat for caveat in clear.caveats if caveat.code in ("one_step", "pixels")]
    assert caveat.code == "pixels"
    assert f"PSNR in the hole {clear.one_step.psnr_db:+.2f} ± " in caveat.text


@pytest.mark.parametrize(("codes", "said"), [(1024, False), (150, True), (None, False)])
def test_a_model_that_reads_worse_than_chance_is_named(make_run: MakeRun, codes: int | None, said: bool) -> None:
    """The NLL of the ground-truth tokens is 5.1 nats; the logarithm of 150 is 5.01, of 1024 6.93."""
    run = make_run(total_iters=(4,), n_images=8)
    record = json.loads((run / "run.json").read_text())
    record["checkpoints"][0]["codes"] = codes
    (run / "run.json").write_text(json.dumps(record))
    texts = [caveat.text for caveat in build(run).caveats if caveat.code == "chance"]
    assert len(texts) == said
    assert all("5.10 nats per token, guessing among 150 codes gives 5.01" in text for text in texts)


def test_every_format_says_the_same(make_run: MakeRun) -> None:
    view = build(make_run(n_images=32))
    page, in_markdown, in_terminal = render_html(view), markdown(view), re.sub(r"\s+", " ", terminal(view, width=200))
    assert view.answer is not None
    for line in (tied_line(view), view.answer.sentence):
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
    assert body["answer"] == {"cell_id": view.answer.cell_id, "sentence": view.answer.sentence}
    assert [(entry["cell_id"], entry["change"], entry["change_se"]) for entry in body["against_best"]] == changes
    rows = table(view, "grids").to_pylist()
    assert [(row["cell_id"], row["change"], row["change_se"]) for row in rows] == changes


def test_without_influences_nothing_is_claimed(make_run: MakeRun) -> None:
    run = make_run(complete=False, n_images=32)
    (run / "images.parquet").unlink()
    view = build(run)
    assert all(entry.change_se is None and entry.within_noise is None for entry in view.against_best)
    assert tied_line(view) == ""
