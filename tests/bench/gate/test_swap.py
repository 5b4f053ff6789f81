from __future__ import annotations

import numpy as np
import pytest

from bench.gate.swap import SwapTest, random_signs, swap_test
from bench.metrics.frechet import frechet_distance, prepare


def triple(n: int, d: int, seed: int = 0, worse: float = 0.0, seeds: int = 1) -> tuple[list, list, np.ndarray]:
    """Baseline and candidate, one array per seed, and originals; the candidate is noisier by the share `worse`."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1, d + 1) ** -0.5
    truth = rng.standard_normal((n, d)) * scale

    def draw(noise: float) -> list:
        return [truth + noise * scale * rng.standard_normal((n, d)) for _ in range(seeds)]

    return draw(0.5), draw(0.5 * (1 + worse)), truth


def by_definition(
    baseline: list, candidate: list, truth: np.ndarray, groups: np.ndarray, signs: np.ndarray
) -> np.ndarray:
    """T(ε) of every swap, computed from distances alone."""
    values = []
    for sign in signs:
        kept = (sign[groups] > 0)[:, None]
        pairs = [(np.where(kept, c, b), np.where(kept, b, c)) for b, c in zip(baseline, candidate, strict=True)]
        values.append(np.mean([frechet_distance(x, truth) - frechet_distance(y, truth) for x, y in pairs]))
    return np.array(values)


def run(baseline: list, candidate: list, truth: np.ndarray, groups: np.ndarray, signs: np.ndarray) -> SwapTest:
    return swap_test(baseline, candidate, prepare(truth), groups, signs)


@pytest.mark.parametrize(("n", "d"), [(60, 4), (60, 24), (24, 60)])
@pytest.mark.parametrize("worse", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("seeds", [1, 2])
def test_the_count_is_that_of_the_distances_of_all_swaps(n: int, d: int, worse: float, seeds: int) -> None:
    baseline, candidate, truth = triple(n, d, worse=worse, seeds=seeds)
    groups = np.arange(n) // 2 if seeds == 2 else np.arange(n)
    signs = random_signs(300, groups.max() + 1, np.random.default_rng(1))
    result = run(baseline, candidate, truth, groups, signs)
    observed = by_definition(baseline, candidate, truth, groups, np.ones((1, groups.max() + 1)))[0]
    values = by_definition(baseline, candidate, truth, groups, signs)
    assert result.observed == pytest.approx(observed, abs=1e-7)
    assert result.reached == (values >= observed).sum()
    assert result.p == (1 + result.reached) / 301


def test_exchanging_the_sides_mirrors_the_test() -> None:
    baseline, candidate, truth = triple(40, 8, worse=0.1)
    groups, signs = np.arange(40), random_signs(500, 40, np.random.default_rng(2))
    forward, backward = run(baseline, candidate, truth, groups, signs), run(candidate, baseline, truth, groups, signs)
    assert backward.observed == pytest.approx(-forward.observed, rel=1e-9)
    # T is odd, so a swap lies above one observed value or below the other.
    assert forward.reached + backward.reached == 500


def test_the_order_of_images_changes_nothing() -> None:
    baseline, candidate, truth = triple(40, 8, worse=0.2)
    signs = random_signs(300, 40, np.random.default_rng(3))
    order = np.random.default_rng(4).permutation(40)
    moved = [[rows[order] for rows in side] for side in (baseline, candidate)]
    straight = run(baseline, candidate, truth, np.arange(40), signs)
    shuffled = run(*moved, truth[order], order, signs)
    assert shuffled.observed == pytest.approx(straight.observed, rel=1e-9)
    assert shuffled.reached == straight.reached


def test_equal_sides_have_p_of_one() -> None:
    baseline, _, truth = triple(30, 8)
    result = run(baseline, baseline, truth, np.arange(30), random_signs(99, 30, np.random.default_rng(0)))
    assert result.observed == 0
    assert result.p == 1


def test_an_image_that_is_the_same_on_both_sides_is_no_evidence() -> None:
    baseline, candidate, truth = triple(30, 4, worse=1.0)
    candidate[0][3:] = baseline[0][3:]  # three pairs are left, so an eighth of all swaps changes nothing
    result = run(baseline, candidate, truth, np.arange(30), random_signs(799, 30, np.random.default_rng(0)))
    assert result.p > 0.08


@pytest.mark.parametrize(("n", "d"), [(40, 4), (16, 30)])
def test_p_values_are_super_uniform_under_the_null(n: int, d: int) -> None:
    trials, permutations = 400, 39
    groups = np.arange(n)
    p = np.array(
        [
            run(*triple(n, d, seed=trial), groups, random_signs(permutations, n, np.random.default_rng(trial))).p
            for trial in range(trials)
        ]
    )
    for alpha in (0.05, 0.1, 0.25, 0.5, 0.75):
        share = (p <= alpha + 1e-12).mean()
        assert share <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / trials), f"{share:.3f} of p-values are below {alpha}"


def test_a_worse_candidate_is_found() -> None:
    small = [run(*triple(80, 8, seed=s, worse=0.4), np.arange(80), random_signs(99, 80, np.random.default_rng(s))).p
             for s in range(20)]  # fmt: skip
    assert np.median(small) <= 0.02


def test_a_hopeless_case_ends_early_and_stays_hopeless() -> None:
    baseline, candidate, truth = triple(60, 60, seed=5)
    groups, signs = np.arange(60), random_signs(999, 60, np.random.default_rng(0))
    full = swap_test(baseline, candidate, prepare(truth), groups, signs)
    early = swap_test(baseline, candidate, prepare(truth), groups, signs, hopeless=0.05)
    assert full.p > 0.1
    assert early.p > 0.05
    assert early.evaluated < full.evaluated
