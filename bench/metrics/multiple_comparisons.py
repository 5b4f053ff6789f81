"""Multiple comparison with the best: which of many correlated scores may be the true best, and how optimistic the lowest is.

**Confidence set.** The lowest of K scores is lowest partly by luck, and a pairwise test of every other score with it neglects
that it was selected. Instead, score i is kept unless it is clearly above some score j:

    max over j of (xᵢ − xⱼ) / SEᵢⱼ  >  cᵢ,

where cᵢ is the 95 % quantile of the same maximum of differences without any true difference, with the joint covariance of the
scores. For the truly best score the left side is at most that maximum, so it is kept with a probability of at least 95 %,
whichever it is and however the scores are correlated. Every other score may be left out as often as the data allow.

The covariance comes from the influences of the images (bench.metrics.influence), those of one image's copies summed. The
maximum is simulated with a fixed seed, as a multivariate t with one degree of freedom fewer than images, since the covariance
is estimated.

**Optimism.** Parametric bootstrap with the same covariance: scores are drawn around assumed true ones, and the lowest drawn
is compared with its true value. Around the scores as measured, which are more spread than the true ones, this gives the lower
bound; with all scores of the confidence set truly equal, the upper one.

Source: Hsu 1984, "Constrained simultaneous confidence intervals for multiple comparisons with the best", Annals of Statistics
12(3); the set is that of Gupta 1965, "On some multiple decision (selection and ranking) rules", Technometrics 7(2). Measured
rates: results/reference/statistics/best-of-many.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.special import stdtrit

from bench.metrics.statistics import group_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
DRAWS = 10_000
SEED = 1984
EXACT = 1e-9  # relative size of differences that are rounding


@dataclass(frozen=True, eq=False)
class WithBest:
    """Scores compared with the best of them.

    Attributes:
        within_noise: (K,) bool, the confidence set of the best score; contains the lowest score.
        critical_value: Standard errors by which the lowest score would have to be above another to be left out.
        optimism: Lower and upper bound of the expected true value of the lowest score minus its measured one.
    """

    within_noise: NDArray[np.bool_]
    critical_value: float
    optimism: tuple[float, float]


def compare_with_best(
    scores: ArrayLike, influences: ArrayLike, groups: ArrayLike | None = None, confidence: float = CONFIDENCE
) -> WithBest:
    """Compare scores of the same images, lower is better, with the best of them.

    Args:
        scores: (K,) finite scores.
        influences: (K, n) influences of the images on each.
        groups: (n,) labels as in `bench.metrics.statistics.group_codes`.
        confidence: Probability that the set holds the truly best score, in (0, 1).

    Raises:
        InputError: Labels that do not fit, or fewer than 3 different images.
    """
    x = np.asarray(scores, dtype=np.float64)
    sums = group_sums(np.asarray(influences, dtype=np.float64).T, groups)
    best = int(x.argmin())
    noise = _Noise.of(sums, np.asarray(influences).shape[1])
    within = _confidence_set(x, noise, confidence)
    return WithBest(within, noise.critical_value(best, confidence), _optimism(x, within, noise, best))


@dataclass(frozen=True, eq=False)
class _Noise:
    """Joint errors of K scores: a root R of their covariance RᵀR, and simulated errors (DRAWS, K).

    Attributes:
        root: (min(G, K), K).
        draws: (DRAWS, K) float32, multivariate normal errors.
        scale: (DRAWS,), divides them for a multivariate t.
        df: Its degrees of freedom.
    """

    root: NDArray[np.float64]
    draws: NDArray[np.float32]
    scale: NDArray[np.float64]
    df: int

    @classmethod
    def of(cls, sums: NDArray[np.float64], n: int) -> _Noise:
        """Noise from the influences summed by image, (G, K), over n rows."""
        root = np.linalg.qr(sums)[1] / n
        random, df = np.random.default_rng(SEED), len(sums) - 1
        draws = random.standard_normal((DRAWS, len(root)), np.float32) @ root.astype(np.float32)
        return cls(root, draws, np.sqrt(random.chisquare(df, DRAWS) / df), df)

    def errors_of_differences(self, i: int) -> NDArray[np.float64]:
        """Standard errors (K,) of score i minus every other; 0 where the two are the same images."""
        errors = np.linalg.norm(self.root - self.root[:, i : i + 1], axis=0)
        size = np.linalg.norm(self.root, axis=0).max(initial=0.0)
        return cast("NDArray[np.float64]", np.where(errors > EXACT * size, errors, 0.0))

    def critical_value(self, i: int, confidence: float) -> float:
        """Quantile of the largest standardised difference of score i from the others if all were truly equal."""
        errors = self.errors_of_differences(i)
        compared = errors > 0
        if not compared.any():
            return 0.0
        standardised = self.draws[:, i : i + 1] - self.draws[:, compared]
        standardised *= (1 / errors[compared]).astype(np.float32)
        return float(np.quantile(standardised.max(1) / self.scale, confidence))

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Bounds of every critical value: that of one comparison, and Bonferroni's."""
        others = max(1, self.root.shape[1] - 1)
        return float(stdtrit(self.df, confidence)), float(stdtrit(self.df, 1 - (1 - confidence) / others))


def _confidence_set(x: NDArray[np.float64], noise: _Noise, confidence: float) -> NDArray[np.bool_]:
    """The scores that may be the best; critical values are simulated only where their bounds do not decide."""
    low, high = noise.bounds(confidence)
    within = np.ones(len(x), dtype=np.bool_)
    for i, statistic in enumerate(_largest_excess(x, noise)):
        within[i] = statistic <= low or (statistic <= high and statistic <= noise.critical_value(i, confidence))
    return within


def _largest_excess(x: NDArray[np.float64], noise: _Noise) -> NDArray[np.float64]:
    """Max over j of (xᵢ − xⱼ) / SEᵢⱼ for every i; infinite where score i is above one of exactly the same error."""
    largest = np.empty(len(x))
    for i in range(len(x)):
        excess, errors = x[i] - x, noise.errors_of_differences(i)
        excess[np.abs(excess) <= EXACT * abs(x[i])] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            largest[i] = np.where(excess == 0, 0.0, excess / errors).max()
    return largest


def _optimism(x: NDArray[np.float64], within: NDArray[np.bool_], noise: _Noise, best: int) -> tuple[float, float]:
    """Expected true minus measured value of the lowest score, around measured scores and around an equal set.

    The errors are taken relative to those of one score: its own has mean 0, and most of the noise is common to all.
    """
    relative = noise.draws - noise.draws[:, best : best + 1]
    rows = np.arange(len(relative))

    def of(truth: NDArray[np.float64]) -> float:
        lowest = (truth + relative).argmin(1)
        return -float(relative[rows, lowest].mean(dtype=np.float64))

    low, high = of(x), of(np.where(within, x.min(), x))
    return max(0.0, min(low, high)), max(0.0, low, high)
