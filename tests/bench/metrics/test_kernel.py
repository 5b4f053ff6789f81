"""KID against plain loops, its expectation under the null, its influence against deletion; bad input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.metrics import kernel
from bench.metrics.estimate import Estimate
from bench.metrics.kernel import kernel_distance_disjoint, kernel_distance_paired, prepare_kernel
from bench.metrics.statistics import standard_error
from maskgit.errors import InputError

Array = NDArray[np.float64]
Distance = Callable[[Array, Array], Estimate]


def k(x: Array, y: Array) -> float:
    return (sum(float(p) * float(q) for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3


def standard_by_loops(x: Array, a: Array) -> float:
    n, m = len(x), len(a)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    aa = sum(k(a[i], a[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + aa - 2 * sum(k(p, q) for p in x for q in a) / (n * m)


def paired_by_loops(x: Array, a: Array, groups: list[int]) -> float:
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if groups[i] != groups[j]]
    return sum(k(x[i], x[j]) + k(a[i], a[j]) - k(x[i], a[j]) - k(x[j], a[i]) for i, j in pairs) / len(pairs)


def alike(n: int, d: int, rho: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Pairs of one and the same distribution, skewed, with correlation rho within a pair: the paired null."""
    both, one, other = (rng.exponential(size=(n, d)) for _ in range(3))
    shared = rng.random((n, 1)) < rho
    return np.where(shared, both, one), np.where(shared, both, other)


def different(n: int, d: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, d))
    return 0.8 * a + 0.7 * rng.normal(size=(n, d)) + 0.3, a


@settings(max_examples=25, deadline=None)
@given(n=st.integers(3, 9), m=st.integers(3, 9), d=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_equals_the_definitions_in_plain_loops(n: int, m: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, a, other = rng.normal(size=(n, d)) + 0.5, rng.normal(size=(n, d)), rng.normal(size=(m, d))
    groups = [*range(3), *rng.integers(0, 4, n - 3).tolist()]
    scale = k(np.abs(x).max(0) + 1, np.abs(x).max(0) + 1)
    assert kernel_distance_disjoint(x, other).value == pytest.approx(standard_by_loops(x, other), abs=1e-12 * scale)
    assert kernel_distance_paired(x, a).value == pytest.approx(paired_by_loops(x, a, list(range(n))), abs=1e-12 * scale)
    assert kernel_distance_paired(x, a, groups).value == pytest.approx(paired_by_loops(x, a, groups), abs=1e-12 * scale)


def z_of_mean(values: list[float]) -> float:
    """The mean in Monte-Carlo standard errors."""
    return float(np.mean(values) / (np.std(values, ddof=1) / np.sqrt(len(values))))


def test_expectation_is_0_between_two_samples_of_one_distribution() -> None:
    rng = np.random.default_rng(1)
    values = [
        kernel_distance_disjoint(rng.exponential(size=(30, 4)), rng.exponential(size=(20, 4))).value for _ in range(600)
    ]
    assert abs(z_of_mean(values)) <= 4
    assert min(values) < 0


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
def test_expectation_is_0_between_originals_and_equals_of_theirs(rho: float) -> None:
    rng = np.random.default_rng(2)
    assert abs(z_of_mean([kernel_distance_paired(*alike(30, 4, rho, rng)).value for _ in range(600)])) <= 4


def test_the_standard_estimator_is_biased_on_pairs_by_what_its_cross_term_adds() -> None:
    """−2 (E k(xᵢ, aᵢ) − E k(x, a)) / N, here with both expectations estimated over all simulations."""
    rng, n = np.random.default_rng(3), 30
    samples = [alike(n, 4, 0.9, rng) for _ in range(600)]
    values = [kernel_distance_disjoint(x, a).value for x, a in samples]
    bases = [x @ a.T / 4 + 1 for x, a in samples]
    own = np.mean([np.diag(b) ** 3 for b in bases])
    others = np.mean([(b**3)[~np.eye(n, dtype=bool)] for b in bases])
    assert z_of_mean(values) < -4
    assert abs(z_of_mean([value + 2 * (own - others) / n for value in values])) <= 4


def test_expectation_is_0_over_seeds_of_an_image_only_if_they_are_grouped() -> None:
    """Five seeds of an image share its original, so pairs of them are no pairs of different images."""
    rng, images, seeds = np.random.default_rng(4), 12, 5
    groups = np.repeat(np.arange(images), seeds)
    grouped, ungrouped = [], []
    for _ in range(600):
        a = np.repeat(rng.exponential(size=(images, 4)), seeds, axis=0)
        fresh = np.repeat(rng.random((images, 1)) < 0.5, seeds, axis=0)  # half of the images: redrawn, seed by seed
        x = np.where(fresh, rng.exponential(size=a.shape), a)
        grouped.append(kernel_distance_paired(x, a, groups).value)
        ungrouped.append(kernel_distance_paired(x, a).value)
    assert abs(z_of_mean(grouped)) <= 4
    assert abs(z_of_mean(ungrouped)) > 4


def test_influence_is_what_deleting_an_image_changes() -> None:
    """Exactly so for a U-statistic of order 2: Iᵢ = (n − 2) (KID − KID without i)."""
    x, a = different(15, 3, 5)
    whole = kernel_distance_paired(x, a)
    deleted = [kernel_distance_paired(np.delete(x, i, 0), np.delete(a, i, 0)).value for i in range(15)]
    np.testing.assert_allclose(whole.influence, 13 * (whole.value - np.array(deleted)), rtol=1e-9)


def test_disjoint_influences_are_what_deleting_an_image_changes() -> None:
    """U-statistics again: the part within a set is exact as above, the part across with n − 1 in place of n − 2."""
    x, a = different(400, 3, 6)
    a = a[:300]
    whole = kernel_distance_disjoint(x, a)
    without_x = [whole.value - kernel_distance_disjoint(np.delete(x, i, 0), a).value for i in range(20)]
    without_a = [whole.value - kernel_distance_disjoint(x, np.delete(a, i, 0)).value for i in range(20)]
    assert whole.reference_influence is not None
    np.testing.assert_allclose(whole.influence[:20], 399 * np.array(without_x), atol=0.02 * whole.influence.std())
    np.testing.assert_allclose(
        whole.reference_influence[:20], 299 * np.array(without_a), atol=0.02 * whole.reference_influence.std()
    )


def test_grouped_influence_is_the_derivative_with_respect_to_a_weight() -> None:
    x, a = different(9, 3, 7)
    groups = np.array([0, 1, 2, 3, 3, 4, 5, 5, 5])
    apart = groups[:, None] != groups
    gram = [(p @ q.T / 3 + 1) ** 3 for p, q in ((x, x), (a, a), (x, a))]
    h = gram[0] + gram[1] - gram[2] - gram[2].T

    def weighted(i: int, epsilon: float) -> float:
        w = np.full(9, (1 - epsilon) / 9) + epsilon * (np.arange(9) == i)
        pairs = np.outer(w, w) * apart
        return float((pairs * h).sum() / pairs.sum())

    slopes = [(weighted(i, 1e-5) - weighted(i, -1e-5)) / 2e-5 for i in range(9)]
    np.testing.assert_allclose(kernel_distance_paired(x, a, groups).influence, slopes, rtol=1e-6)


@pytest.mark.parametrize("distance", [kernel_distance_paired, kernel_distance_disjoint])
def test_error_is_the_spread_over_data_sets(distance: Distance) -> None:
    """400 simulations give a spread to 3.5 % (4 σ: 14 %); the jackknife errs on the large side."""
    estimates = []
    for seed in range(400):
        x, a = different(100, 4, 2 * seed)
        estimates.append(distance(x, a if distance is kernel_distance_paired else different(80, 4, 2 * seed + 1)[1]))
    ratio = np.mean([e.se for e in estimates]) / np.std([e.value for e in estimates], ddof=1)
    assert 0.86 <= ratio <= 1.25


def test_copies_in_a_disjoint_set_are_no_evidence() -> None:
    x, _ = different(60, 6, 3)
    _, a = different(50, 6, 4)
    twice = np.vstack([x, x]), np.vstack([a, a])
    labels = np.tile(np.arange(60), 2), np.tile(np.arange(50), 2)
    alone = kernel_distance_disjoint(x, a).se
    assert kernel_distance_disjoint(*twice, *labels).se == pytest.approx(alone, rel=0.05)
    assert kernel_distance_disjoint(*twice).se == pytest.approx(alone / np.sqrt(2), rel=0.05)


def test_a_set_has_no_distance_to_itself() -> None:
    x, _ = different(20, 6, 8)
    estimate = kernel_distance_paired(x, x)
    assert abs(estimate.value) <= 1e-12
    assert np.abs(estimate.influence).max() <= 1e-11


@pytest.mark.parametrize("distance", [kernel_distance_paired, kernel_distance_disjoint])
def test_symmetric_centred_and_moves_with_its_rows(distance: Distance) -> None:
    x, a = different(20, 6, 9)
    order = np.random.default_rng(10).permutation(20)
    one, back, moved = distance(x, a), distance(a, x), distance(x[order], a[order])
    assert abs(one.influence.mean()) <= 1e-12
    assert back.value == pytest.approx(one.value, rel=1e-11)
    assert back.se == pytest.approx(one.se, rel=1e-11)
    assert moved.value == pytest.approx(one.value, rel=1e-11)
    np.testing.assert_allclose(moved.influence, one.influence[order], rtol=1e-9)


def test_rows_in_chunks_and_a_prepared_side_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, a = different(23, 5, 11)
    for distance in (kernel_distance_paired, kernel_distance_disjoint):
        whole = distance(x, a)
        np.testing.assert_array_equal(distance(x, prepare_kernel(a)).influence, whole.influence)
        with monkeypatch.context() as patched:
            patched.setattr(kernel, "CHUNK_ENTRIES", 100)
            np.testing.assert_allclose(distance(x, a).influence, whole.influence, rtol=1e-9)


def test_groups_go_together() -> None:
    x, a = different(20, 6, 12)
    groups = np.arange(20) // 2
    estimate = kernel_distance_paired(x, a, groups)
    assert estimate.se == standard_error(estimate.influence, groups) != standard_error(estimate.influence)


GOOD = np.random.default_rng(0).normal(size=(5, 4))
NAN = GOOD.copy()
NAN[3, 1] = np.nan


@pytest.mark.parametrize("distance", [kernel_distance_paired, kernel_distance_disjoint])
@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (NAN, "NaN or infinite in 1 of 5 images, first in row 3"),
        (np.ones((5, 4)), "the same for all 5 images"),
        (GOOD[:0], "N = 0 images"),
        (GOOD[:1], "N = 1 images"),
        (GOOD[:2], "N = 2 images"),
        (GOOD[:, :3], "features per image"),
        (GOOD * 1e30, "too large"),
    ],
)
def test_bad_features_give_one_line_and_no_number(distance: Distance, bad: Array, says: str) -> None:
    for sides in ((bad, GOOD), (GOOD, bad)):
        with pytest.raises(InputError, match=says) as error:
            distance(*sides)
        assert "\n" not in str(error.value)


def test_the_largest_features_taken_do_not_overflow() -> None:
    x, a = different(20, 6, 13)
    for estimate in (kernel_distance_paired(x * 1e23, a * 1e23), kernel_distance_disjoint(x * 1e23, a * 1e23)):
        assert np.isfinite([estimate.value, estimate.se]).all()


def test_bad_pairs_and_groups_give_one_line_and_no_number() -> None:
    with pytest.raises(InputError, match=r"features: 4 images, but reference has 5; a paired reference"):
        kernel_distance_paired(GOOD[:4], GOOD)
    with pytest.raises(InputError, match="2 different images among 5 rows"):
        kernel_distance_paired(GOOD, GOOD + 1, [0, 0, 0, 1, 1])
    with pytest.raises(InputError, match="one label for each of 5 rows"):
        kernel_distance_paired(GOOD, GOOD + 1, [0, 1, 2])
