"""The Fréchet distance against closed forms, mpmath and pytorch-fid's own formula; its symmetries; bad input."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pytorch_fid import fid_score

from bench.metrics.frechet import FeatureStats, distance, frechet_distance, prepare
from maskgit.errors import InputError

Array = NDArray[np.float64]


def inception_like(n: int, d: int, seed: int, dead: bool = True) -> Array:
    """Features (n, d) like pool3's: not negative, skewed, correlated, with a steep spectrum; some of them dead."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(d, d)) * np.exp(-np.arange(d) / (d / 6))[:, None]
    x = np.maximum(rng.normal(size=(n, d)) @ mixing / np.sqrt(d) + 0.2, 0)
    if dead:
        x[:, :: max(d // 3, 2)] = 0.0
    return x.astype(np.float32).astype(np.float64)


def whitened(n: int, d: int, seed: int) -> Array:
    """Features (n, d), n > d, with mean 0 and covariance the identity exactly, up to rounding."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    q, _ = np.linalg.qr(x - x.mean(axis=0))
    return q * np.sqrt(n - 1)


def pytorch_fid_distance(x: Array, y: Array, monkeypatch: pytest.MonkeyPatch) -> float:
    """pytorch-fid 0.3.0's number. It calls sqrtm(…, disp=False), which SciPy 1.18 no longer takes."""

    def sqrtm(matrix: Array, disp: bool = True) -> Array | tuple[Array, float]:
        root = np.asarray(true_sqrtm(matrix))
        return root if disp else (root, 0.0)

    true_sqrtm = scipy.linalg.sqrtm
    monkeypatch.setattr(fid_score.linalg, "sqrtm", sqrtm)
    moments = (x.mean(axis=0), np.cov(x, rowvar=False), y.mean(axis=0), np.cov(y, rowvar=False))
    value = float(fid_score.calculate_frechet_distance(*moments))
    monkeypatch.undo()
    return value


@pytest.mark.filterwarnings("ignore:Matrix is:scipy.linalg.LinAlgWarning")  # a covariance with N ≤ D is singular
@pytest.mark.parametrize(("n", "m", "d"), [(40, 40, 96), (60, 33, 96), (300, 300, 64), (300, 40, 64), (64, 65, 64)])
def test_equals_pytorch_fid(
    n: int, m: int, d: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = inception_like(n, d, 1, dead=False), inception_like(m, d, 2, dead=False) * 1.1 + 0.05
    assert frechet_distance(x, y) == pytest.approx(pytorch_fid_distance(x, y, monkeypatch), rel=1e-4)
    assert "singular product" not in capsys.readouterr().out


@pytest.mark.parametrize(("n", "m", "d"), [(4, 5, 6), (7, 8, 3), (4, 9, 5)])
def test_equals_the_definition_in_fifty_digits(n: int, m: int, d: int) -> None:
    x, y = inception_like(n, d, 3), inception_like(m, d, 4) + 0.1
    with mpmath.workdps(50):
        means, covariances = [], []
        for rows in (mpmath.matrix(x.tolist()), mpmath.matrix(y.tolist())):
            mean = mpmath.matrix([[sum(rows[:, j]) / rows.rows for j in range(d)]])
            centred = rows - mpmath.ones(rows.rows, 1) * mean
            means.append(mean)
            covariances.append(centred.T * centred / (rows.rows - 1))
        # Eigenvalues of a product of covariances are real and not negative; digits of rounding are cut off.
        roots = [mpmath.sqrt(max(mpmath.re(e), 0)) for e in mpmath.eig(covariances[0] * covariances[1], right=False)]
        trace = sum(c[j, j] for c in covariances for j in range(d))
        expected = mpmath.norm(means[0] - means[1]) ** 2 + trace - 2 * sum(roots)
    assert frechet_distance(x, y) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize(("a", "b", "shift"), [(1.0, 1.0, 0.0), (1.0, 2.5, 0.3), (1e-3, 40.0, 7.0)])
def test_isotropic_gaussians_have_the_closed_form(a: float, b: float, shift: float) -> None:
    d = 12
    x, y = a * whitened(50, d, 1), b * whitened(70, d, 2) + shift
    assert frechet_distance(x, y) == pytest.approx(d * shift**2 + d * (a - b) ** 2, rel=1e-10, abs=1e-11)


def test_commuting_covariances_have_the_closed_form() -> None:
    rng = np.random.default_rng(5)
    a, b = np.exp(rng.normal(size=10)), np.exp(rng.normal(size=10))
    rotation, _ = np.linalg.qr(rng.normal(size=(10, 10)))
    x, y = whitened(30, 10, 6) * a @ rotation, whitened(44, 10, 7) * b @ rotation + 1.0
    assert frechet_distance(x, y) == pytest.approx(10 + ((a - b) ** 2).sum(), rel=1e-11)


def test_one_feature_is_the_distance_of_two_normals() -> None:
    x, y = np.array([[1.0], [2.0], [6.0]]), np.array([[0.0], [5.0], [5.0], [9.0]])
    expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("n", "d"), [(40, 200), (200, 40), (40, 40), (41, 40), (3, 500)])
def test_distance_of_a_set_to_itself_is_nothing(n: int, d: int) -> None:
    x = inception_like(n, d, 8) if n > 3 else np.random.default_rng(8).normal(size=(n, d))
    x[-1] = x[0]  # a duplicate image, as real test sets have: one more direction without variance
    prepared = prepare(x)
    assert 0 <= frechet_distance(x, x) <= 1e-9 * prepared.total_variance
    assert 0 <= frechet_distance(x, x[::-1]) <= 1e-9 * prepared.total_variance


@settings(max_examples=40, deadline=None)
@given(n=st.integers(3, 30), m=st.integers(3, 30), d=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_symmetric_row_order_invariant_and_not_negative(n: int, m: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 2 + 1
    value = frechet_distance(x, y)
    close = pytest.approx(value, rel=1e-12, abs=1e-12)
    assert value >= 0
    assert frechet_distance(y, x) == close
    assert frechet_distance(rng.permutation(x), rng.permutation(y)) == close


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_rotation_and_shift_of_both_change_nothing_and_scale_is_squared(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(9, 14)), rng.normal(size=(20, 14)) + 0.5
    rotation, _ = np.linalg.qr(rng.normal(size=(14, 14)))
    value = frechet_distance(x, y)
    assert frechet_distance(x @ rotation + 3, y @ rotation + 3) == pytest.approx(value, rel=1e-11)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * value, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(20, 60), (60, 20)])
def test_low_rank_path_equals_the_direct_one(n: int, d: int) -> None:
    """Columns of zeros take N ≥ D to N < D, and change no distance."""
    x, y = inception_like(n, d, 9), inception_like(n + 3, d, 10) + 0.1
    wide = [np.pad(z, ((0, 0), (0, 2 * n))) for z in (x, y)]
    assert prepare(wide[0]).factor.shape[0] == n
    assert frechet_distance(*wide) == pytest.approx(frechet_distance(x, y), rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(20, 60), (60, 20), (20, 20)])
def test_factor_is_a_factor_of_the_covariance(n: int, d: int) -> None:
    x = inception_like(n, d, 11)
    prepared = prepare(x)
    assert prepared.factor.shape == (min(n, d), d)
    np.testing.assert_allclose(prepared.factor.T @ prepared.factor, np.cov(x, rowvar=False), atol=1e-13)
    assert prepared.total_variance == pytest.approx(np.cov(x, rowvar=False).trace(), rel=1e-13)
    assert prepared.n == n


def test_float16_and_float32_are_computed_in_float64() -> None:
    for narrow in (np.float16, np.float32):
        x, y = (inception_like(30, 50, seed).astype(narrow) for seed in (12, 13))
        assert frechet_distance(x, y) == frechet_distance(x.astype(np.float64), y.astype(np.float64))


def test_a_distance_far_smaller_than_the_features_survives() -> None:
    """A mean of 1000 must not cost digits of the variance: features are centred before anything is squared."""
    x, y = whitened(40, 8, 14), 1.5 * whitened(40, 8, 15)
    assert frechet_distance(x + 1000, y + 1000) == pytest.approx(8 * 0.25, rel=1e-10)


GOOD = np.random.default_rng(0).normal(size=(5, 4))
NAN, INFINITE = GOOD.copy(), GOOD.copy()
NAN[3, 1], INFINITE[2, 0] = np.nan, -np.inf


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (NAN, "NaN or infinite in 1 of 5 images, first in row 3"),
        (INFINITE, "NaN or infinite in 1 of 5 images, first in row 2"),
        (np.ones((5, 4)), "the same for all 5 images"),
        (np.full((5, 4), 0.1, np.float32), "the same for all 5 images"),
        (GOOD[:0], "N = 0 images"),
        (GOOD[:1], "N = 1 images"),
        (GOOD[:2], "N = 2 images"),
        (GOOD[:, :0], "no features"),
        (GOOD[0], "shape"),
        (GOOD + 1j, "real numbers"),
        (GOOD.astype(str), "real numbers"),
        (GOOD * 1e200, "too large"),
        (GOOD * 1e307, "too large"),
    ],
)
def test_bad_features_give_one_line_and_no_number(bad: Array, says: str) -> None:
    for pair in ((bad, GOOD), (GOOD, bad)):
        with pytest.raises(InputError, match=says) as error:
            frechet_distance(*pair)
        assert "\n" not in str(error.value)


def test_means_too_far_apart_give_one_line_and_no_number() -> None:
    with pytest.raises(InputError, match="too large"):
        frechet_distance(np.vstack([GOOD, GOOD]) + [[0.0]] * 10, np.full((5, 4), 1e160) * (1 + 1e-9 * GOOD))


def test_different_dimensions_are_refused_by_name() -> None:
    sides: list[FeatureStats] = [prepare(GOOD, "cell a"), prepare(GOOD[:, :3], "cell b")]
    with pytest.raises(InputError, match="cell b: 3 features per image, but cell a has 4"):
        distance(*sides)
