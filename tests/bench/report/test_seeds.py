"""Several seeds and several checkpoints in a run: spread and errors against independently computed numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.report.as_json import render_json
from bench.report.as_table import table
from bench.report.html.render import render_html
from bench.report.html.training_charts import SETTINGS_DRAWN, training
from bench.report.seeds import SeedSpread, decoding_noise
from bench.report.view import View, build
from bench.results.influences import Influences

from .rendering import markdown, terminal

MakeRun = Callable[..., Path]


def shown(view: View) -> tuple[str, str]:
    return terminal(view, width=140), markdown(view)


def influence_of(run: Path, cell_ids: tuple[str, ...]) -> np.ndarray:
    """Sum over seeds of the influences, one per distinct image: the terms of a cluster-robust error."""
    images = pd.read_parquet(run / "images.parquet").merge(pd.read_parquet(run / "test_set.parquet"), on="image_id")
    rows = images[images.cell_id.isin(cell_ids)]
    return rows.groupby("copy_of").influence.sum().to_numpy() / len(cell_ids)


def test_spread_over_seeds_and_error_over_images_are_kept_apart(make_run: MakeRun) -> None:
    run = make_run(seeds=(0, 1, 5), total_iters=(4,), n_images=40)
    view = build(run)
    cells = pd.read_parquet(run / "cells.parquet")
    assert len(view.seeds) == 3 * 4
    for spread in view.seeds:
        rows = cells[(cells.gamma == spread.settings["gamma"]) & (cells.sweet_spot == spread.settings["sweet_spot"])]
        assert spread.seeds == (0, 1, 5)
        assert "seed" not in spread.settings
        assert spread.mean == pytest.approx(rows.fd.mean())
        assert spread.sd_over_seeds == pytest.approx(rows.fd.std(ddof=1))
        assert spread.se_over_images == pytest.approx(np.linalg.norm(influence_of(run, spread.cell_ids)) / 40)


def test_the_same_images_under_other_seeds_are_no_new_images(make_run: MakeRun) -> None:
    """If every seed had the same effect on every image, more seeds would not make the mean more certain."""
    run = make_run(seeds=(0, 1), gammas=("cosine",), total_iters=(1,), n_images=40)
    path = run / "images.parquet"
    images = pd.read_parquet(path)
    first = images[images.cell_id == images.cell_id.iloc[0]].set_index("image_id").influence
    images["influence"] = images.image_id.map(first)
    images.to_parquet(path)
    se_of_one_seed = np.linalg.norm(influence_of(run, (images.cell_id.iloc[0],))) / 40
    assert build(run).seeds[0].se_over_images == pytest.approx(se_of_one_seed)


def test_every_format_shows_the_seeds_where_there_are_several(make_run: MakeRun) -> None:
    view = build(make_run(seeds=(0, 1), total_iters=(4,), n_images=32))
    best = min(view.seeds, key=lambda spread: spread.mean)
    numbers = [view.metric.show(value) for value in (best.mean, best.sd_over_seeds, best.se_over_images)]
    in_terminal, in_markdown = shown(view)
    assert any(line.split()[-3:] == numbers for line in in_terminal.splitlines())
    assert f"| 2 | {' | '.join(numbers)} |" in in_markdown
    assert "the best 10 of 12 settings" in in_terminal
    assert "the best 10 of 12 settings" in in_markdown
    body = json.loads(render_json(view))
    assert [spread["mean"] for spread in body["seeds"]] == [spread.mean for spread in view.seeds]
    rows = table(view, "seeds").to_pylist()
    assert [row["sd_over_seeds"] for row in rows] == [spread.sd_over_seeds for spread in view.seeds]
    assert "seed" not in rows[0]


def test_one_seed_and_one_checkpoint_have_no_such_tables(make_run: MakeRun) -> None:
    view = build(make_run(n_images=32))
    assert view.seeds == view.by_checkpoint == ()
    assert not any("Over seeds" in text or "By checkpoint" in text for text in shown(view))


def test_checkpoints_are_in_the_order_of_the_list_not_of_the_alphabet(make_run: MakeRun) -> None:
    names = ("epoch-5", "epoch-10", "epoch-100")
    run = make_run(checkpoints=names, gammas=("cosine",), total_iters=(2,), seeds=(0, 1), n_images=40)
    view = build(run)
    cells = pd.read_parquet(run / "cells.parquet")
    assert len(view.by_checkpoint) == 2
    for setting in view.by_checkpoint:
        assert tuple(point.checkpoint for point in setting.scores) == names
        means = [
            cells[(cells.checkpoint == name) & (cells.sweet_spot == setting.settings["sweet_spot"])].fd.mean()
            for name in names
        ]
        assert [point.score for point in setting.scores] == pytest.approx(means)
        assert setting.scores[0].change is None
        for before, point in zip(setting.scores, setting.scores[1:], strict=False):
            assert point.change == pytest.approx(point.score - before.score)
            difference = influence_of(run, point.cell_ids) - influence_of(run, before.cell_ids)
            assert point.change_se == pytest.approx(np.linalg.norm(difference) / 40)


def test_every_format_shows_the_checkpoints_where_there_are_several(make_run: MakeRun) -> None:
    view = build(make_run(checkpoints=("a", "b"), gammas=("cosine",), total_iters=(2,), n_images=32))
    best = min(view.by_checkpoint, key=lambda setting: setting.best.score)
    last = best.scores[-1]
    score = view.metric.show(last.score, last.se)
    change = f"+{view.metric.show(last.change, last.change_se)}"
    in_terminal, in_markdown = shown(view)
    assert f"| b | {score} | {change} |" in in_markdown
    assert any(score in line and change in line for line in in_terminal.splitlines())
    body = json.loads(render_json(view))
    assert body["by_checkpoint"][0]["scores"][1]["change"] == view.by_checkpoint[0].scores[1].change
    rows = table(view, "checkpoints").to_pandas()
    assert rows[rows.checkpoint == "b"].change.tolist() == [setting.scores[1].change for setting in view.by_checkpoint]


def test_the_page_plots_the_scores_over_the_checkpoints(make_run: MakeRun) -> None:
    names = ("epoch-5", "epoch-10", "epoch-100")
    view = build(make_run(checkpoints=names, gammas=("cosine",), total_iters=(8,), seeds=(0, 1), n_images=32))
    chart = training(view)
    assert chart is not None
    drawn = chart.panels[0].spec["data"]["values"]
    best = sorted(view.by_checkpoint, key=lambda setting: setting.best.score)[:SETTINGS_DRAWN]
    assert len(view.by_checkpoint) > len(best) == len(chart.keys)
    assert [row["score"] for row in drawn] == [point.score for setting in best for point in setting.scores]
    assert [row["checkpoint"] for row in drawn] == [*names] * len(best)
    last = best[0].scores[-1]
    assert drawn[2]["label"].endswith(f"+{view.metric.show(last.change, last.change_se)} since the previous one")
    assert sorted(chart.data["fd"].to_pylist()) == sorted(row["score"] for row in drawn)
    assert len(table(view, "checkpoints")) == 3 * len(view.by_checkpoint)

    page = render_html(view)
    assert f">{view.metric.show(last.score, last.se)}</td>" in page
    spread = min(view.seeds, key=lambda spread: spread.mean)
    assert f">{view.metric.show(spread.sd_over_seeds)}</td>" in page


def test_one_checkpoint_is_no_plot(make_run: MakeRun) -> None:
    page = render_html(build(make_run(n_images=32)))
    assert "Quality over checkpoints" not in page
    assert "Over seeds" not in page


def test_an_unfinished_run_without_influences_still_has_its_spread(make_run: MakeRun) -> None:
    run = make_run(seeds=(0, 1), complete=False, n_images=32)
    (run / "images.parquet").unlink()
    view = build(run)
    assert view.seeds
    assert all(spread.sd_over_seeds > 0 and spread.se_over_images is None for spread in view.seeds)


@pytest.mark.parametrize(("test_set", "decoding"), [(1.0, 0.0), (0.0, 1.0), (0.6, 0.8)])
def test_decoding_noise_is_what_another_seed_averages_out(test_set: float, decoding: float) -> None:
    """Influences of 4,000 images with a part common to all seeds, σ, and one of each seed, τ: their shares come back."""
    random, n, seeds = np.random.default_rng(5), 4000, 4
    common = random.standard_normal(n)
    by_cell = {f"a{k}": test_set * common + decoding * random.standard_normal(n) for k in range(seeds)}
    by_cell |= {f"b{k}": np.zeros(n) for k in range(seeds)}
    influences = Influences(by_cell, np.arange(n))
    spreads = [
        SeedSpread({}, tuple(f"{name}{k}" for k in range(seeds)), tuple(range(seeds)), (mean,) * seeds, mean, 0.0, None)
        for name, mean in (("a", 1.0), ("b", 0.0))
    ]
    noise = decoding_noise(spreads, influences)
    assert noise is not None
    assert noise.share == pytest.approx(decoding**2, abs=0.05)
    assert noise.se == pytest.approx(np.sqrt((test_set**2 + decoding**2 / 4) / n), rel=0.05)
    assert noise.se_next == pytest.approx(np.sqrt((test_set**2 + decoding**2 / 5) / n), rel=0.05)
    assert decoding_noise(spreads[:1], influences) is None
