"""Runs side by side: matched by settings, differences with the error of paired images, refusals, three formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.errors import IncompleteRunError, NotComparableError
from bench.report.compare.command import compare
from bench.report.compare.view import BETTER, EQUAL, UNCLEAR, WORSE, build_comparison
from maskgit.errors import InputError

MakeRun = Callable[..., Path]
N = 40
SMALL: dict[str, Any] = {"gammas": ("cosine", "square"), "total_iters": (2,), "n_images": N}


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_parquet(path)).to_parquet(path)


def shift(run: Path, by: float, noise: float = 0.0) -> Path:
    """Move all scores of a run, and its influences by some noise per image."""
    edit(run / "cells.parquet", lambda cells: cells.assign(fd=cells.fd + by))
    rng = np.random.default_rng(3)
    edit(
        run / "images.parquet",
        lambda images: images.assign(influence=images.influence + noise * rng.standard_normal(len(images))),
    )
    return run


def sums_by_image(run: Path, cell_id: str) -> np.ndarray:
    images = pd.read_parquet(run / "images.parquet").merge(pd.read_parquet(run / "test_set.parquet"), on="image_id")
    return images[images.cell_id == cell_id].groupby("copy_of").influence.sum().to_numpy()


def test_a_difference_has_the_error_of_paired_images(make_run: MakeRun) -> None:
    a, b = make_run("a", **SMALL), shift(make_run("b", **SMALL), by=0.5, noise=2.0)
    view = build_comparison([a, b])
    scores = [pd.read_parquet(run / "cells.parquet").set_index("cell_id").fd for run in (a, b)]
    assert len(view.rows) == 4
    assert view.n_distinct == pd.read_parquet(a / "test_set.parquet").copy_of.nunique() < view.n_images == N
    for row in view.rows:
        first, second = row.results
        assert first is not None
        assert second is not None
        assert first.against_first is None
        difference = second.against_first
        assert difference is not None
        before, after = first.cell_ids[0], second.cell_ids[0]
        assert difference.value == pytest.approx(scores[1][after] - scores[0][before]) == pytest.approx(0.5)
        se = np.linalg.norm(sums_by_image(b, after) - sums_by_image(a, before)) / N
        assert difference.se == pytest.approx(se)
        assert (difference.low, difference.high) == pytest.approx((0.5 - 1.959964 * se, 0.5 + 1.959964 * se))
        assert difference.se < second.se, "the images are the same, so the difference is surer than either score"


@pytest.mark.parametrize(
    ("by", "noise", "verdict"), [(-9.0, 1.0, BETTER), (9.0, 1.0, WORSE), (0.01, 40.0, UNCLEAR), (0.0, 0.0, EQUAL)]
)
def test_verdicts(make_run: MakeRun, by: float, noise: float, verdict: str) -> None:
    view = build_comparison([make_run("a", **SMALL), shift(make_run("b", **SMALL), by, noise)])
    assert {row.results[1].against_first.verdict for row in view.rows} == {verdict}


def test_the_order_of_rows_does_not_matter(make_run: MakeRun) -> None:
    a, b = make_run("a", **SMALL), shift(make_run("b", **SMALL), 0.5, 2.0)
    before = build_comparison([a, b])
    for name in ("cells", "images", "test_set"):
        edit(b / f"{name}.parquet", lambda frame: frame.sample(frac=1, random_state=1))
    after = build_comparison([a, b])
    assert [row.settings for row in before.rows] == [row.settings for row in after.rows]
    for one, other in zip(before.rows, after.rows, strict=True):
        assert one.results[1].against_first.se == pytest.approx(other.results[1].against_first.se, rel=1e-12)


def test_one_checkpoint_each_is_joined_whatever_its_name_several_by_name(make_run: MakeRun) -> None:
    a, b = make_run("a", checkpoints=("epoch-10",), **SMALL), make_run("b", checkpoints=("epoch-20",), **SMALL)
    assert all(None not in row.results for row in build_comparison([a, b]).rows)
    many = make_run("many", checkpoints=("epoch-10", "epoch-20"), **SMALL)
    view = build_comparison([a, many])
    assert sum(None in row.results for row in view.rows) == 4
    assert any("Run 1 lacks 4 cells" in note for note in view.notes)


def test_what_only_one_run_has_is_shown_and_named(make_run: MakeRun) -> None:
    more = make_run("b", gammas=("cosine", "linear"), total_iters=(2,), n_images=N)
    view = build_comparison([make_run("a", **SMALL), more])
    assert [row.settings["gamma"] for row in view.rows] == ["cosine"] * 2 + ["square"] * 2 + ["linear"] * 2
    assert any(note.startswith("Run 1 lacks 2 cells (linear · T 2 · s 1") for note in view.notes)
    assert any(note.startswith("Run 2 lacks 2 cells (square") for note in view.notes)


def test_seeds_are_averaged_and_other_seeds_are_said(make_run: MakeRun) -> None:
    a, b = make_run("a", seeds=(0, 1), **SMALL), make_run("b", seeds=(1,), **SMALL)
    cells = pd.read_parquet(a / "cells.parquet")
    view = build_comparison([a, b])
    first = view.rows[0].results[0]
    assert first is not None
    assert first.score == pytest.approx(cells[cells.cell_id.isin(first.cell_ids)].fd.mean())
    assert len(first.cell_ids) == 2
    assert any("different seeds in 4 cells" in note for note in view.notes)


def test_other_test_sets_extractors_and_grids_are_refused(make_run: MakeRun) -> None:
    a = make_run("a", **SMALL)
    fewer = make_run("fewer", **{**SMALL, "n_images": 30})
    with pytest.raises(
        NotComparableError, match=r"fewer cannot be compared with .*a: 10 images \(30, 31, 32, 33, 34 and"
    ):
        build_comparison([a, fewer])
    repainted = make_run("repainted", **SMALL)
    edit(repainted / "test_set.parquet", lambda t: t.assign(truth_sha256=["f" * 64, *t.truth_sha256[1:]]))
    with pytest.raises(NotComparableError, match=r"another original for 1 image \(0\)"):
        build_comparison([a, repainted])
    other = make_run("other", features="inception", key="fid", **SMALL)
    with pytest.raises(NotComparableError, match=r"extractor name inception in .*other, efficientnet-lite0 in .*a;"):
        build_comparison([a, other])
    with pytest.raises(NotComparableError, match="no cell with the same settings"):
        build_comparison([a, make_run("grid", gammas=("linear",), total_iters=(2,), n_images=N)])


def test_bad_input(make_run: MakeRun, tmp_path: Path) -> None:
    a = make_run("a", **SMALL)
    with pytest.raises(InputError, match="at least two runs"):
        build_comparison([a])
    with pytest.raises(InputError, match="no such run folder"):
        build_comparison([a, tmp_path / "none"])
    (tmp_path / "begun" / "store").mkdir(parents=True)
    with pytest.raises(IncompleteRunError):
        build_comparison([a, tmp_path / "begun"])
    with pytest.raises(InputError, match="rich, markdown, json"):
        compare([a, a], "html")
    broken = make_run("broken", **SMALL)
    edit(broken / "images.parquet", lambda images: images.iloc[1:])
    with pytest.raises(InputError, match=r"cell t000-s01 has other images than test_set\.parquet"):
        build_comparison([a, broken])
    (broken / "features.safetensors").touch()
    with pytest.raises(InputError, match="a saved baseline"):
        build_comparison([a, broken])


def test_the_same_numbers_in_every_format(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [make_run("a", **SMALL), shift(make_run("b", **SMALL), 0.5, 2.0), shift(make_run("c", **SMALL), -1.5, 2.0)]
    view = build_comparison(runs)
    texts = {}
    for format in ("rich", "markdown", "json"):
        compare(runs, format, tmp_path / format)
        texts[format] = re.sub(r"\s+", " ", (tmp_path / format).read_text())
    for row in json.loads(texts["json"])["rows"]:
        for result in row["results"]:
            score = view.metric.show(result["score"], result["se"])
            assert score in texts["rich"]
            assert score in texts["markdown"]
            if difference := result["against_first"]:
                low, high = (f"{difference[end]:+.{view.metric.decimals}f}" for end in ("low", "high"))
                assert f"{low} to {high}" in texts["rich"]
                assert f"| {low} to {high} |" in texts["markdown"]
    assert "run 2 minus run 1" in texts["rich"]
    assert "run 3 minus run 1: 4 better" in texts["markdown"] or "run 3 minus run 1" in texts["markdown"]
    compare(runs, "markdown")
    assert re.sub(r"\s+", " ", capsys.readouterr().out) == texts["markdown"]


def test_incomplete_runs_and_other_machines_are_said(make_run: MakeRun) -> None:
    machine = {"device": "cuda", "gpu": "Example GPU"}
    b = make_run("b", complete=False, environment=machine, **SMALL)
    notes = build_comparison([make_run("a", **SMALL), b]).notes
    assert any("Run 2 is incomplete" in note for note in notes)
    assert any("different machines" in note for note in notes)


def test_strings_of_users_are_neutralised(make_run: MakeRun, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> a|b \x1b[31mred"
    a, b = make_run("a", name=hostile, checkpoints=(hostile,), **SMALL), make_run("b", **SMALL)
    for format in ("rich", "markdown"):
        compare([a, b], format, tmp_path / format)
    assert "\x1b" not in (tmp_path / "rich").read_text()
    assert "<script>" not in (tmp_path / "markdown").read_text()


def test_no_run_is_marked_as_best_where_runs_are_equal(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = make_run("a", **SMALL), make_run("b", **SMALL)
    compare([a, b], "markdown")
    assert "★" not in capsys.readouterr().out
    compare([a, shift(b, by=-0.5)], "markdown")
    assert "★" in capsys.readouterr().out
