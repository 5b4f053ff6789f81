"""MIND against its definition, its influence against weighted samples, its error against simulation; bad input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from bench.metrics import monge
from bench.metrics.monge import directions, monge_distance_disjoint, monge_distance_paired, project
from bench.metrics.statistics import standard_error
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = NDArray[np.float64]


@pytest.fixture(autouse=True)
def few_directions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(monge, "N_DIRECTIONS", 40)
    directions.cache_clear()
    yield
    directions.cache_clear()


def sets(n: int, d: int, seed: int, m: int | None = None) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    a = rng.exponential(size=(n if m is None else m, d))
    x = 0.9 * a + 0.4 * rng.normal(size=a.shape) + 0.1 if m is None else 1.1 * rng.exponential(size=(n, d)) + 0.1
    return x, a


def weighted(x: Array, a: Array, wx: Array, wa: Array) -> float:
    """The distance of weighted sets: W₂² of the quantile functions, by merging their jumps."""
    total = 0.0
    for u in directions(x.shape[1]):
        sides = []
        for rows, w in ((x, wx), (a, wa)):
            order = np.argsort(rows @ u)
            sides.append(((rows @ u)[order], np.cumsum(w[order])))
        edges = np.unique(np.concatenate([[0.0], sides[0][1], sides[1][1]]))
        middle = (edges[1:] + edges[:-1]) / 2
        quantiles = [v[np.minimum(np.searchsorted(c, middle), len(v) - 1)] for v, c in sides]
        total += ((quantiles[0] - quantiles[1]) ** 2 * np.diff(edges)).sum()
    return float(3 * x.shape[1] * total / len(directions(x.shape[1])))


def test_the_directions_are_unit_vectors_and_always_the_same() -> None:
    first = directions(7).copy()
    directions.cache_clear()
    np.testing.assert_array_equal(directions(7), first)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-12)


@settings(max_examples=20)
@given(n=st.integers(3, 9), m=st.integers(3, 9), d=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_equals_the_definition(n: int, m: int, d: int, seed: int) -> None:
    x, a = sets(n, d, seed)
    sliced = [((np.sort(x @ u) - np.sort(a @ u)) ** 2).mean() for u in directions(d)]
    expected = 3 * d * np.mean(sliced)
    assert monge_distance_paired(x, a).value == pytest.approx(expected, rel=1e-10)
    assert monge_distance_disjoint(x, a).value == pytest.approx(expected, rel=1e-10)
    y, b = sets(n, d, seed, m)
    expected = weighted(y, b, np.full(n, 1 / n), np.full(m, 1 / m))
    assert monge_distance_disjoint(y, b).value == pytest.approx(expected, rel=1e-9)


def test_repeated_images_change_nothing() -> None:
    x, a = sets(11, 3, 1, m=8)
    once = monge_distance_disjoint(x, a)
    repeated = monge_distance_disjoint(np.repeat(x, 3, axis=0), np.repeat(a, 2, axis=0))
    assert repeated.value == pytest.approx(once.value, rel=1e-12)


def test_a_shift_adds_three_times_its_squared_length_on_average_over_directions() -> None:
    """E[D (u·s)²] = |s|², and with a shift alone every W₂² is (u·s)²."""
    a = np.random.default_rng(0).normal(size=(9, 4))
    shift = np.array([0.5, -1.0, 0.0, 2.0])
    expected = 3 * 4 * ((directions(4) @ shift) ** 2).mean()
    assert monge_distance_paired(a + shift, a).value == pytest.approx(expected)
    assert expected == pytest.approx(3 * (shift @ shift), rel=0.5)


@pytest.mark.parametrize("m", [None, 37, 90])
def test_influences_are_derivatives_with_respect_to_weights(m: int | None) -> None:
    """For enough images, the derivative to the left and to the right, whose mean the potential is, agree."""
    n = 60
    x, a = sets(n, 3, 2, m)
    estimate = (monge_distance_paired if m is None else monge_distance_disjoint)(x, a)
    uniform = np.full(len(a), 1 / len(a))
    slopes = []
    for i in range(0, n, 7):
        values = []
        for step in (1e-7, -1e-7):
            w = np.full(n, (1 - step) / n)
            w[i] += step
            values.append(weighted(x, a, w, w if m is None else uniform))
        slopes.append((values[0] - values[1]) / 2e-7)
    np.testing.assert_allclose(estimate.influence[::7], slopes, rtol=1e-3, atol=1e-3 * np.abs(slopes).max())


@pytest.mark.parametrize("paired", [True, False])
def test_the_error_is_the_spread_of_simulated_values(paired: bool) -> None:
    values, errors = [], []
    for seed in range(150):
        x, a = sets(200, 4, seed, None if paired else 200)
        estimate = (monge_distance_paired if paired else monge_distance_disjoint)(x + 0.3, a)
        values.append(estimate.value)
        errors.append(estimate.se)
    assert np.mean(errors) / np.std(values, ddof=1) == pytest.approx(1, abs=0.2)  # 150 values know it within 6 %


def test_the_error_of_a_difference_comes_from_the_difference_of_influences() -> None:
    x, a = sets(50, 4, 6)
    reference = project(a)
    first, second = monge_distance_paired(x, reference), monge_distance_paired(x + 0.05, reference)
    assert standard_error(second.influence - first.influence) < (first.se**2 + second.se**2) ** 0.5


def test_copies_of_an_image_count_as_one() -> None:
    x, a = sets(40, 4, 7)
    groups = np.tile(np.arange(40), 2)
    twice = monge_distance_paired(np.tile(x, (2, 1)), np.tile(a, (2, 1)), groups)
    assert twice.se == pytest.approx(monge_distance_paired(x, a).se, rel=0.05)


def test_in_one_dimension_it_is_the_wasserstein_distance_of_order_two() -> None:
    """Where one set is right of the other in order and by a constant, W₁² = W₂²."""
    a = np.random.default_rng(8).normal(size=(20, 1))
    assert monge_distance_disjoint(a + 2, a).value == pytest.approx(3 * wasserstein_distance(a[:, 0] + 2, a[:, 0]) ** 2)


def test_sets_that_do_not_fit_are_refused() -> None:
    x, a = sets(10, 4, 9)
    with pytest.raises(InputError, match="compare features of the same extractor"):
        monge_distance_disjoint(x, a[:, :3])
    with pytest.raises(InputError, match="original of image i in row i"):
        monge_distance_paired(x, a[:9])
    with pytest.raises(InputError, match="at least 3"):
        monge_distance_paired(x, a, np.arange(10) % 2)
    with pytest.raises(InputError, match="NaN"):
        project(np.where(x == x[3, 2], np.nan, x))
