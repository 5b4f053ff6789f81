"""The influence against derivatives and deletions computed another way; its error against simulation; bad input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.metrics.frechet import frechet_distance, prepare
from bench.metrics.influence import FrechetEstimate, estimate_disjoint, estimate_paired
from bench.metrics.statistics import standard_error
from maskgit.errors import InputError

Array = NDArray[np.float64]
Estimate = Callable[[Array, Array], FrechetEstimate]
SHAPES = [(24, 60), (60, 24), (24, 24), (25, 24)]
BOTH = pytest.mark.parametrize("estimate", [estimate_paired, estimate_disjoint])


def originals(n: int, d: int, seed: int) -> Array:
    """Features (n, d) like pool3's: not negative, skewed, correlated, a few directions with most of the variance."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d)) / np.arange(1, d + 1)[:, None]
    return np.maximum(rng.normal(size=(n, d)) @ mixing + 1.0, 0)


def inpainted(a: Array, seed: int, noise: float = 0.3) -> Array:
    """Each original less some of its variation, shifted, plus noise that differs from image to image."""
    hole = np.random.default_rng(seed).uniform(0.1, 1.0, size=(len(a), 1))
    return np.maximum(0.9 * a + hole * noise * (originals(*a.shape, seed + 1_000_000) - 0.8), 0)


def pair(n: int, d: int, seed: int = 1) -> tuple[Array, Array]:
    a = originals(n, d, seed)
    return inpainted(a, seed + 1), a


def weighted_distance(x: Array, a: Array, wx: Array, wa: Array) -> float:
    """The distance of weighted sets from its definition: dense covariances and eigenvalues of their product.

    With N ≤ D the product has min(N − 1, M − 1) eigenvalues that are not 0; rounding in the others is left out.
    """
    means, covariances = [], []
    for rows, w in ((x, wx), (a, wa)):
        means.append(w @ rows)
        centred = rows - means[-1]
        covariances.append(len(rows) / (len(rows) - 1) * (centred * w[:, None]).T @ centred)
    eigenvalues, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0)) @ vectors.T
    products = np.linalg.eigvalsh(root @ covariances[1] @ root)[::-1]
    trace = np.sqrt(np.maximum(products[: min(len(x) - 1, len(a) - 1)], 0)).sum()
    return float(((means[0] - means[1]) ** 2).sum() + sum(np.trace(c) for c in covariances) - 2 * trace)


def moved(n: int, i: int, epsilon: float) -> Array:
    """Equal weights with a share epsilon of all weight moved to row i."""
    weights = np.full(n, (1 - epsilon) / n)
    weights[i] += epsilon
    return weights


def slope(value: Callable[[float], float], step: float) -> float:
    return (value(step) - value(-step)) / (2 * step)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_value_is_the_distance(n: int, d: int) -> None:
    x, a = pair(n, d)
    for estimate in (estimate_paired(x, a), estimate_disjoint(x, a), estimate_disjoint(x, a[: n - 5])):
        reference = a if estimate.reference_influence is None else a[: len(estimate.reference_influence)]
        assert estimate.value == pytest.approx(frechet_distance(x, reference), rel=1e-11)
        assert estimate.mean_term == pytest.approx(((x.mean(0) - reference.mean(0)) ** 2).sum(), rel=1e-12)
        assert estimate.mean_term + estimate.covariance_term == pytest.approx(estimate.value, rel=1e-14)


def test_weighted_distance_of_these_tests_is_the_distance_by_a_dense_square_root() -> None:
    """The reference_set below, and the estimate, against scipy's matrix square root."""
    x, a = pair(60, 8)
    equal = np.full(60, 1 / 60)
    covariances = np.cov(x, rowvar=False), np.cov(a, rowvar=False)
    root = np.asarray(scipy.linalg.sqrtm(covariances[0] @ covariances[1])).real
    trace = sum(c.trace() for c in covariances) - 2 * root.trace()
    dense = float(((x.mean(0) - a.mean(0)) ** 2).sum() + trace)
    assert weighted_distance(x, a, equal, equal) == pytest.approx(dense, rel=1e-9)
    assert estimate_paired(x, a).value == pytest.approx(dense, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_paired_influence_is_the_derivative_with_respect_to_a_weight(n: int, d: int) -> None:
    x, a = pair(n, d)
    influence = estimate_paired(x, a).influence
    for i in range(0, n, 5):
        derivative = slope(lambda e, i=i: weighted_distance(x, a, moved(n, i, e), moved(n, i, e)), 1e-3 / n)
        assert influence[i] == pytest.approx(derivative, rel=0.01, abs=0.001 * influence.std())


@pytest.mark.parametrize(("n", "m", "d"), [(24, 31, 60), (60, 40, 24), (24, 60, 30), (60, 24, 30), (24, 24, 24)])
def test_disjoint_influences_are_the_derivatives_with_respect_to_a_weight(n: int, m: int, d: int) -> None:
    x, a = inpainted(originals(n, d, 5), 6), originals(m, d, 7)
    estimate = estimate_disjoint(x, a)
    equal_x, equal_a, of_a = np.full(n, 1 / n), np.full(m, 1 / m), estimate.reference_influence
    assert of_a is not None
    assert estimate.influence.shape == (n,)
    assert of_a.shape == (m,)
    for i in range(0, min(n, m), 5):
        by_x = slope(lambda e, i=i: weighted_distance(x, a, moved(n, i, e), equal_a), 1e-3 / n)
        by_a = slope(lambda e, i=i: weighted_distance(x, a, equal_x, moved(m, i, e)), 1e-3 / m)
        assert estimate.influence[i] == pytest.approx(by_x, rel=0.01, abs=0.001 * estimate.influence.std())
        assert of_a[i] == pytest.approx(by_a, rel=0.01, abs=0.001 * of_a.std())


def test_derivative_holds_with_duplicate_images_and_dead_features() -> None:
    """Both lower the rank below min(N − 1, D), where the matrix square root itself has no derivative."""
    for n, d in ((30, 50), (60, 20)):
        x, a = pair(n, d)
        x[:, ::4] = a[:, 1::4] = 0.0
        x[3:6], a[3:6] = x[0], a[0]
        estimate = estimate_paired(x, a)
        assert estimate.rank < min(n - 1, d)
        for i in (0, 4, 11):
            shift = 1e-3 / n

            def value(e: float, i: int = i, x: Array = x, a: Array = a) -> float:
                return weighted_distance_by_factors(x, a, moved(len(x), i, e))

            assert estimate.influence[i] == pytest.approx(slope(value, shift), rel=0.01)


def weighted_distance_by_factors(x: Array, a: Array, w: Array) -> float:
    """As `weighted_distance`, by the nuclear norm: a deficient rank needs no cut-off here."""
    rows = [np.sqrt(len(w) / (len(w) - 1) * w)[:, None] * (z - w @ z) for z in (x, a)]
    return float(
        ((w @ x - w @ a) ** 2).sum()
        + sum((r**2).sum() for r in rows)
        - 2 * np.linalg.norm(rows[0] @ rows[1].T, ord="nuc")
    )


@pytest.mark.parametrize(("n", "d"), [(80, 200), (200, 20)])
def test_influence_follows_delete_one(n: int, d: int) -> None:
    x, a = pair(n, d)
    deleted = [estimate_paired(np.delete(x, i, 0), np.delete(a, i, 0)).value for i in range(n)]
    assert np.corrcoef(estimate_paired(x, a).influence, -np.array(deleted))[0, 1] >= 0.99


@pytest.mark.parametrize(("n", "d"), [(20, 60), (60, 20)])
def test_low_rank_path_equals_the_direct_one(n: int, d: int) -> None:
    """Columns of zeros take N ≥ D to N < D, and change nothing."""
    x, a = pair(n, d)
    wide = [np.pad(z, ((0, 0), (0, 2 * n))) for z in (x, a)]
    for estimate in (estimate_paired, estimate_disjoint):
        narrow, low_rank = estimate(x, a), estimate(*wide)
        assert low_rank.value == pytest.approx(narrow.value, rel=1e-11)
        assert low_rank.rank == narrow.rank == min(n - 1, d)
        assert low_rank.se == pytest.approx(narrow.se, rel=1e-9)
        np.testing.assert_allclose(low_rank.influence, narrow.influence, atol=1e-9 * np.abs(narrow.influence).max())


@pytest.mark.parametrize(("n", "d"), [*SHAPES, (3, 50)])
def test_a_set_has_no_distance_to_itself_and_no_doubt_about_it(n: int, d: int) -> None:
    x = originals(n, d, 3)
    x[-1] = x[0]
    estimate = estimate_paired(x, x)
    size = prepare(x).total_variance
    assert 0 <= estimate.value <= 1e-9 * size
    assert estimate.mean_term == 0
    assert np.abs(estimate.influence).max() <= 1e-9 * n * size


@BOTH
@settings(max_examples=25, deadline=None)
@given(n=st.integers(4, 30), d=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_symmetric_centred_and_moves_with_its_rows(estimate: Estimate, n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, d))
    x = 0.7 * a + rng.normal(size=(n, d)) + 0.5
    order = rng.permutation(n)
    one, back, moved_rows = estimate(x, a), estimate(a, x), estimate(x[order], a[order])
    scale = np.abs(one.influence).max() + one.value
    assert abs(one.influence.sum()) <= 1e-10 * n * scale
    assert back.value == pytest.approx(one.value, rel=1e-10)
    assert back.se == pytest.approx(one.se, rel=1e-7)
    assert moved_rows.value == pytest.approx(one.value, rel=1e-10)
    np.testing.assert_allclose(moved_rows.influence, one.influence[order], atol=1e-8 * scale)
    np.testing.assert_allclose(
        back.influence, one.influence if one.paired else one.reference_influence, atol=1e-8 * scale
    )


def test_a_common_rotation_and_shift_change_nothing_and_scale_is_squared() -> None:
    x, a = pair(20, 30)
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(30, 30)))
    one, turned = estimate_paired(x, a), estimate_paired(3 * x @ rotation + 7, 3 * a @ rotation + 7)
    np.testing.assert_allclose(turned.influence, 9 * one.influence, atol=1e-8 * np.abs(one.influence).max())


def test_a_prepared_side_gives_the_same_as_features() -> None:
    x, a = pair(20, 30)
    for estimate in (estimate_paired, estimate_disjoint):
        np.testing.assert_array_equal(estimate(x, a).influence, estimate(prepare(x), prepare(a)).influence)


def test_float32_is_computed_in_float64() -> None:
    x, a = (z.astype(np.float32) for z in pair(20, 30))
    np.testing.assert_array_equal(
        estimate_paired(x, a).influence, estimate_paired(x.astype(np.float64), a.astype(np.float64)).influence
    )


def test_copies_of_every_image_are_no_evidence() -> None:
    """A test set written down twice has half the error if its copies pass for images, and the same as groups."""
    x, a = pair(60, 12)
    twice = np.vstack([x, x]), np.vstack([a, a])
    alone = estimate_paired(x, a).se
    assert estimate_paired(*twice, groups=np.tile(np.arange(60), 2)).se == pytest.approx(alone, rel=0.03)
    assert estimate_paired(*twice).se == pytest.approx(alone / np.sqrt(2), rel=0.03)


def test_copies_in_a_disjoint_set_are_no_evidence() -> None:
    (x, _), (_, other) = pair(60, 12), pair(50, 12)
    twice, copies = np.vstack([x, x]), np.vstack([other, other])
    alone = estimate_disjoint(x, other).se
    labels = np.tile(np.arange(60), 2), np.tile(np.arange(50), 2)
    assert estimate_disjoint(twice, copies, *labels).se == pytest.approx(alone, rel=0.03)
    assert estimate_disjoint(twice, copies).se == pytest.approx(alone / np.sqrt(2), rel=0.03)


def test_groups_change_the_error_alone() -> None:
    x, a = pair(20, 12)
    labels = [f"image {i // 2}" for i in range(20)]
    grouped, alone = estimate_paired(x, a, labels), estimate_paired(x, a)
    assert grouped.value == alone.value
    np.testing.assert_array_equal(grouped.influence, alone.influence)
    assert grouped.se == standard_error(alone.influence, labels) != alone.se


def spread(estimate: Estimate, draw: Callable[[int], tuple[Array, Array]], simulations: int) -> float:
    """Mean standard error over the spread of the value, over simulated data sets."""
    estimates = [estimate(*draw(seed)) for seed in range(simulations)]
    return float(np.mean([e.se for e in estimates]) / np.std([e.value for e in estimates], ddof=1))


@pytest.mark.parametrize(("n", "d"), [(150, 8), (60, 90)])
def test_error_of_a_paired_distance_is_its_spread_over_data_sets(n: int, d: int) -> None:
    """400 simulations give a spread to 3.5 % (4 σ: 14 %); the jackknife's own bias at this N is below 6 %."""
    assert 0.8 <= spread(estimate_paired, lambda seed: pair(n, d, 3 * seed), 400) <= 1.2


def test_error_of_a_disjoint_distance_is_its_spread_over_data_sets() -> None:
    def draw(seed: int) -> tuple[Array, Array]:
        return inpainted(originals(150, 8, 2 * seed), seed, 1.0), originals(100, 8, 2 * seed + 1)

    assert 0.8 <= spread(estimate_disjoint, draw, 400) <= 1.2


def test_error_of_a_difference_is_its_spread_over_data_sets() -> None:
    """Two cells over the same images: their errors are correlated, and the difference of their influences knows it."""
    differences, errors, apart = [], [], []
    for seed in range(400):
        a = originals(150, 8, seed)
        first, second = (estimate_paired(inpainted(a, seed, noise), a) for noise in (0.3, 0.4))
        differences.append(second.value - first.value)
        errors.append(standard_error(second.influence - first.influence))
        apart.append(np.hypot(first.se, second.se))
    assert 0.8 <= np.mean(errors) / np.std(differences, ddof=1) <= 1.2
    assert np.mean(errors) < 0.7 * np.mean(apart)


def test_a_percentile_bootstrap_would_exclude_the_value_it_was_made_for() -> None:
    """Why there is none: a resample has 63 % of the images, and fewer images push the distance up."""
    rng = np.random.default_rng(5)
    x, a = inpainted(originals(100, 60, 21), 22), originals(100, 60, 23)
    estimate = estimate_disjoint(x, a)
    resampled = [frechet_distance(x[rng.integers(0, 100, 100)], a[rng.integers(0, 100, 100)]) for _ in range(200)]
    assert np.quantile(resampled, 0.025) > estimate.value
    assert np.mean(resampled) > estimate.value + 1.96 * estimate.se


GOOD = np.random.default_rng(0).normal(size=(5, 4))
NAN = GOOD.copy()
NAN[3, 1] = np.nan


@BOTH
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
def test_bad_features_give_one_line_and_no_number(estimate: Estimate, bad: Array, says: str) -> None:
    for sides in ((bad, GOOD), (GOOD, bad)):
        with pytest.raises(InputError, match=says) as error:
            estimate(*sides)
        assert "\n" not in str(error.value)


def test_bad_pairs_and_groups_give_one_line_and_no_number() -> None:
    with pytest.raises(InputError, match=r"cell b: 4 images, but reference has 5; a paired reference"):
        estimate_paired(prepare(GOOD[:4], "cell b"), GOOD)
    for groups, says in (
        ([0, 1, 2], "one label for each of 5 rows"),
        ([0, 0, 0, 1, 1], "2 different images among 5 rows"),
        ([0, 1, 2, 3, np.nan], "no label in row 4"),
    ):
        with pytest.raises(InputError, match=says):
            estimate_paired(GOOD, GOOD + 1, groups)
