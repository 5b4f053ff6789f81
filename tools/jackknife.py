"""Compare the jackknife's standard errors with Monte Carlo truth: python tools/jackknife.py.

Draws many data sets from known distributions and prints Markdown tables: the mean standard error compared with the true
spread of the value, and how often value ± 1.96 SE covers the value's expectation at this N (with the exact 95 % interval of
that share). The tables also show the bias against the distance between the distributions, which no standard error covers.
The last table shows the result of a percentile bootstrap for comparison, on one data set per case.

Features are linear mixtures of skewed (exponential) variables. In a *steep* spectrum, like that of an image network,
direction k has a standard deviation of 1/k; in a *flat* one, k^−¼, the hard case for N < D. Generated images vary less than
their originals, and their mean is *shift* standard deviations off along each direction; with a shift of 0, almost only the
bias of the distance is left to measure.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.stats import binomtest

from bench.metrics.frechet import frechet_distance
from bench.metrics.influence import FrechetEstimate, estimate_disjoint, estimate_paired
from bench.metrics.kernel import kernel_distance_disjoint, kernel_distance_paired
from bench.metrics.statistics import standard_error

if TYPE_CHECKING:
    from collections.abc import Callable

Array = NDArray[np.float64]
DECAY = {"steep": 1.0, "flat": 0.25}
SHRINK = 0.9


@dataclass(frozen=True)
class Case:
    """Simulated data and the estimate made from them.

    Attributes:
        metric: "FD", "KID", or "FD difference" of two cells over the same originals.
        pairs: "inpainted": original plus noise scaled by its hole; a number: correlation within pairs; or "disjoint".
        n: Number of images; a disjoint reference has the same number.
        d: Number of features.
        spectrum: A key of DECAY.
        shift: Shift of the generated images' mean along each direction, in standard deviations of that direction.
    """

    metric: str
    pairs: str | float
    n: int
    d: int
    spectrum: str
    shift: float = 0.1

    def __str__(self) -> str:
        pairs = f"correlation {self.pairs}" if isinstance(self.pairs, float) else self.pairs
        return f"{self.metric} | {pairs} | {self.n} | {self.d} | {self.spectrum} | {self.shift:g}"


CASES = [
    *(Case("FD", pairs, 747, 64, "steep") for pairs in ("inpainted", 0.98, 0.3, "disjoint")),
    Case("FD", "inpainted", 747, 64, "steep", shift=0.0),
    Case("FD", "inpainted", 747, 64, "flat"),
    Case("FD difference", "inpainted", 747, 64, "steep"),
    *(Case("KID", pairs, 747, 64, "steep") for pairs in ("inpainted", 0.3, "disjoint")),
    *(Case("FD", pairs, 200, 512, "steep") for pairs in ("inpainted", 0.98, 0.3, "disjoint")),
    Case("FD", "inpainted", 200, 512, "steep", shift=0.0),
    *(Case("FD", pairs, 200, 512, "flat") for pairs in ("inpainted", "disjoint")),
    *(Case("FD difference", "inpainted", 200, 512, spectrum) for spectrum in ("steep", "flat")),
    Case("KID", "inpainted", 200, 512, "steep"),
]


def mixing(case: Case) -> Array:
    """Mixing matrix (D, D): rows are orthogonal directions, with their standard deviation as length."""
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(case.d, case.d)))
    return rotation * np.arange(1, case.d + 1)[:, None] ** -DECAY[case.spectrum]


def draw(case: Case, m: Array, rng: np.random.Generator, noise: float = 0.5) -> tuple[Array, Array]:
    """Generated features x (N, D) and their reference a (N, D)."""
    latent, independent = (rng.exponential(size=(case.n, case.d)) - 1 for _ in range(2))
    if case.pairs == "inpainted":
        hole = rng.uniform(0.1, 1.0, size=(case.n, 1))
        generated = SHRINK * latent + noise * hole * independent
    else:
        rho = case.pairs if isinstance(case.pairs, float) else 0.0
        generated = SHRINK * (rho * latent + np.sqrt(1 - rho**2) * independent)
    return (generated + case.shift) @ m, latent @ m


def population_distance(case: Case, m: Array, noise: float = 0.5) -> float:
    """Fréchet distance between the distributions: covariances are multiples of mᵀm, so their root is a scalar factor."""
    mean_square_hole = (1.0 + 0.1 + 0.01) / 3  # of a uniform share from 0.1 to 1
    scale = np.sqrt(SHRINK**2 + noise**2 * mean_square_hole) if case.pairs == "inpainted" else SHRINK
    shift = case.shift * m.sum(axis=0)
    return float(shift @ shift + (scale - 1) ** 2 * (m**2).sum())


def estimate(case: Case, m: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Value and standard error on one new data set."""
    if case.metric == "FD difference":
        state = rng.bit_generator.state
        first = estimate_paired(*draw(case, m, rng))
        rng.bit_generator.state = state  # the same originals, holes and noise, with stronger noise
        second = estimate_paired(*draw(case, m, rng, noise=0.6))
        return second.value - first.value, standard_error(second.influence - first.influence)
    disjoint = case.pairs == "disjoint"
    if case.metric == "KID":
        kernel = (kernel_distance_disjoint if disjoint else kernel_distance_paired)(*draw(case, m, rng))
        return kernel.value, kernel.se
    frechet = frechet_estimate(case)(*draw(case, m, rng))
    return frechet.value, frechet.se


def frechet_estimate(case: Case) -> Callable[[Array, Array], FrechetEstimate]:
    """The estimate that fits the case's reference."""
    return estimate_disjoint if case.pairs == "disjoint" else estimate_paired


def coverage_row(case: Case, simulations: int, seed: int) -> str:
    """One row of the first table."""
    m, rng = mixing(case), np.random.default_rng(seed)
    values, errors = np.array([estimate(case, m, rng) for _ in range(simulations)]).T
    spread = values.std(ddof=1)
    covered = int((np.abs(values - values.mean()) <= 1.96 * errors).sum())
    low, high = binomtest(covered, simulations).proportion_ci(method="exact")
    bias = "–"
    if case.metric == "FD":
        bias = f"{values.mean() - population_distance(case, m):+.2g}"
    elif case.metric == "FD difference":
        bias = f"{values.mean() - population_distance(case, m, 0.6) + population_distance(case, m):+.2g}"
    return (
        f"| {case} | {values.mean():.3g} | {bias} | {spread:.2g} | {errors.mean() / spread:.3f} "
        f"| {covered / simulations:.1%} [{low:.1%}, {high:.1%}] |"
    )


def bootstrap_row(case: Case, replicates: int, seed: int) -> str:
    """One row of the second table: one data set, resampled."""
    m, rng = mixing(case), np.random.default_rng(seed)
    x, a = draw(case, m, rng)
    point = frechet_estimate(case)(x, a)
    resampled = []
    for _ in range(replicates):
        rows = rng.integers(0, case.n, case.n)
        resampled.append(frechet_distance(x[rows], a[rng.integers(0, case.n, case.n) if not point.paired else rows]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return (
        f"| {case} | {point.value:.4f} | {point.value - 1.96 * point.se:.4f} to {point.value + 1.96 * point.se:.4f} "
        f"| {np.mean(resampled):.4f} | {low:.4f} to {high:.4f} | {'yes' if low <= point.value <= high else '**no**'} |"
    )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=500, help="data sets per case")
    parser.add_argument("--replicates", type=int, default=200, help="replicates of the bootstrap")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started = time.perf_counter()
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}"
    print(f"{arguments.simulations} data sets per case, seed {arguments.seed}, {versions}\n")
    print("| metric | pairs | N | D | spectrum | shift | mean | bias | true SD | mean SE / SD | coverage of ±1.96 SE |")
    print("| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in CASES:
        print(coverage_row(case, arguments.simulations, arguments.seed), flush=True)
    print("\nA percentile bootstrap of the distance, for comparison: never used.\n")
    print(
        "| metric | pairs | N | D | spectrum | shift | value | ±1.96 SE | bootstrap mean | its 95 % | holds the value |"
    )
    print("| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for case in (case for case in CASES if case.metric == "FD"):
        print(bootstrap_row(case, arguments.replicates, arguments.seed), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
