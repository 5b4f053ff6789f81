"""Precision, recall, density and coverage against their definitions in plain loops; bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.metrics import neighbours
from bench.metrics.neighbours import K_DENSITY, K_SUPPORT, neighbourhoods, support_scores
from maskgit.errors import InputError

Array = NDArray[np.float64]
NAMES = ("precision", "density", "recall", "coverage")


def by_loops(x: Array, a: Array) -> tuple[float, ...]:
    def radius(rows: Array, i: int, k: int) -> float:
        return sorted(float(np.linalg.norm(rows[i] - other)) for other in rows)[k]

    def holds(rows: Array, i: int, k: int, point: Array) -> bool:
        return float(np.linalg.norm(rows[i] - point)) <= radius(rows, i, k)

    precision = [any(holds(a, j, K_SUPPORT, p) for j in range(len(a))) for p in x]
    recall = [any(holds(x, i, K_SUPPORT, q) for i in range(len(x))) for q in a]
    density = [sum(holds(a, j, K_DENSITY, p) for j in range(len(a))) / K_DENSITY for p in x]
    coverage = [any(holds(a, j, K_DENSITY, p) for p in x) for j in range(len(a))]
    return tuple(float(np.mean(values)) for values in (precision, density, recall, coverage))


@settings(max_examples=15)
@given(n=st.integers(6, 10), m=st.integers(6, 10), d=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_equals_the_definitions_in_plain_loops(n: int, m: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, a = rng.normal(size=(n, d)) + rng.normal(), rng.normal(size=(m, d))
    scores = support_scores(x, a)
    assert [scores.mean_and_se(name)[0] for name in NAMES] == pytest.approx(by_loops(x, a))


def test_the_number_of_rows_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x, a = rng.normal(size=(23, 3)), rng.normal(size=(31, 3))
    whole = support_scores(x, a)
    monkeypatch.setattr(neighbours, "CHUNK_ENTRIES", 70)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(support_scores(x, a), name), getattr(whole, name))


def test_of_a_set_with_itself_all_but_density_are_1() -> None:
    a = neighbourhoods(np.random.default_rng(2).normal(size=(40, 3)))
    scores = support_scores(a, a)
    assert [scores.mean_and_se(name)[0] for name in ("precision", "recall", "coverage")] == [1, 1, 1]


def test_images_that_are_all_alike_are_precise_and_cover_little() -> None:
    a = np.random.default_rng(3).normal(size=(60, 3))
    collapsed = a[[0]] + 1e-3 * np.random.default_rng(4).normal(size=(60, 3))
    scores = support_scores(collapsed, a)
    assert scores.mean_and_se("precision")[0] == 1
    assert scores.mean_and_se("recall")[0] < 0.1
    assert scores.mean_and_se("coverage")[0] < 0.3


def test_sets_that_do_not_fit_are_refused() -> None:
    x = np.random.default_rng(5).normal(size=(9, 3))
    with pytest.raises(InputError, match=r"5 images; .* at least 6 images"):
        neighbourhoods(x[:5])
    with pytest.raises(InputError, match="compare features of the same extractor"):
        support_scores(x, x[:, :2])
