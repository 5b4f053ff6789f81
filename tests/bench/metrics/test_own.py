"""Metrics of the user's own: called with features, and refused in one line where they return no number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.metrics.measure import measure, reference_set
from bench.metrics.own import own_metrics
from maskgit.errors import MaskgitError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "python:./mine.py:gap"


def numbers(folder: Path, body: str) -> list[tuple[float, float | None]]:
    (folder / "mine.py").write_text(f"def gap(x, a):\n    {body}\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(9, 3)).astype(np.float32)
    against = reference_set({"net": truth}, np.arange(9), None, (NAME,), own_metrics(("mind", NAME), folder))
    found, _ = measure({"net": truth + 1}, {}, against)
    return [(number.value, number.se) for number in found if number.metric == NAME]


def test_it_gets_features_and_originals_and_gives_a_number_or_one_with_its_error(tmp_path: Path) -> None:
    assert numbers(tmp_path, "return (x - a).mean()") == [(pytest.approx(1), None)]
    assert numbers(tmp_path, "return (x - a).mean(), 0.5") == [(pytest.approx(1), 0.5)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return 'much'", "returns str, expected a number"),
        ("return float('nan')", "must be finite"),
        ("return x @ a", "the metric failed"),
    ],
)
def test_what_is_no_number_is_refused_in_one_line(tmp_path: Path, body: str, says: str) -> None:
    with pytest.raises(MaskgitError, match=says) as caught:
        numbers(tmp_path, body)
    assert "\n" not in str(caught.value)
