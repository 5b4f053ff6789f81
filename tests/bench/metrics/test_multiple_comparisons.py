"""The confidence set of the best of many scores: its rate, its limits, ties; the optimism of the lowest score."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from bench.metrics import multiple_comparisons
from bench.metrics.multiple_comparisons import compare_with_best
from maskgit.errors import InputError


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiple_comparisons, "DRAWS", 2000)


def influences(count: int, n: int, common: float = 0.0, seed: int = 0) -> np.ndarray:
    """Centred influences (count, n) of unit variance and a common part."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, n)) + common * random.standard_normal(n)
    return rows - rows.mean(1, keepdims=True)


def test_a_truly_best_score_is_kept_at_the_stated_rate() -> None:
    """40 equal, correlated scores, 100 data sets: 95 % ± 4 σ is 86 to 100 %; two standard errors keep fewer."""
    kept, pairwise = [], []
    for seed in range(100):
        rows = influences(40, 60, common=2.0, seed=seed)
        scores = np.random.default_rng(1000 + seed).multivariate_normal(np.zeros(40), (np.eye(40) + 4) / 60)
        lowest = int(scores.argmin())
        kept.append(compare_with_best(scores, rows).within_noise[0])
        pairwise.append(scores[0] - scores[lowest] <= 2 * np.linalg.norm(rows[0] - rows[lowest]) / 60)
    assert np.mean(kept) >= 0.86
    assert np.mean(pairwise) < 0.85


def test_scores_far_above_are_left_out_and_the_lowest_is_kept() -> None:
    scores = np.array([0.0, 0.01, 5.0, 9.0])
    assert compare_with_best(scores, influences(4, 50)).within_noise.tolist() == [True, True, False, False]


def test_the_critical_value_of_two_scores_is_that_of_one_test() -> None:
    compared = compare_with_best([0.0, 1.0], influences(2, 4000))
    assert compared.critical_value == pytest.approx(norm.ppf(0.95), abs=0.15)


def test_equal_images_are_tied_and_a_difference_without_error_is_real() -> None:
    rows = influences(2, 40)
    rows = np.stack([rows[0], rows[0], rows[1]])
    compared = compare_with_best([1.0, 1.0, 1.0], rows)
    assert compared.within_noise.all()
    assert not compare_with_best([1.0, 1.001, 1.0], rows).within_noise[1]


def test_one_score_is_the_best_of_one() -> None:
    compared = compare_with_best([3.0], influences(1, 10))
    assert (compared.within_noise.tolist(), compared.critical_value, compared.optimism) == ([True], 0.0, (0.0, 0.0))


def test_optimism_is_the_luck_of_the_lowest() -> None:
    """The expected minimum of 30 equal independent scores of SE 1/10 is −2.04 / 10 (order statistics of the normal)."""
    rows = influences(30, 100)
    low, high = compare_with_best(np.zeros(30), rows).optimism
    assert (low, high) == pytest.approx((0.204, 0.204), rel=0.1)
    apart = compare_with_best(np.arange(30.0), rows).optimism
    assert apart == (0.0, 0.0)


def test_the_result_does_not_depend_on_chance_or_on_copies() -> None:
    rows, scores = influences(6, 40), np.linspace(0, 0.5, 6)
    once, again = compare_with_best(scores, rows), compare_with_best(scores, rows)
    assert (once.critical_value, once.optimism) == (again.critical_value, again.optimism)
    copied = compare_with_best(scores, np.tile(rows, 3), np.tile(np.arange(40), 3))
    assert copied.within_noise.tolist() == once.within_noise.tolist()
    assert copied.critical_value == pytest.approx(once.critical_value, rel=1e-4)
    with pytest.raises(InputError, match="at least 3"):
        compare_with_best(scores, rows, np.arange(40) % 2)
