"""Show what few images can show: python -m tools.small_samples.

Draws many test sets from known distributions and prints the Markdown tables of docs/what-747-images-can-show.md: bias and
error of each distance by N, the order of two cells of different spread, the power to see a real difference, and the standard
error under heavy tails with the excess kurtosis of the influences, by which a run detects them.

Features of the originals are normal, direction k with variance 1/k, as those of image networks roughly are. Those of a cell
are 0.93 of the original's plus noise of a given strength and a shift: all covariances are multiples of each other, so the
distances between the distributions are known in closed form. Every cell decodes the same images.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kurtosis, norm

from bench.metrics import monge
from bench.metrics.frechet import prepare
from bench.metrics.influence import estimate_paired
from bench.metrics.kernel import kernel_distance_paired, prepare_kernel
from bench.metrics.monge import directions, monge_distance_paired, project
from bench.metrics.statistics import standard_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.metrics.estimate import Estimate

Array = NDArray[np.float64]
KEPT = 0.93
BASE = "base"
CELLS = {BASE: (0.25, 0.0), "noisier": (0.275, 0.0), "shifted": (0.25, 0.03)}
"""Noise of the cells, and shift of their mean in standard deviations. The noisier cell is truly better than the base, because
its spread is closer to the originals'; the shifted one is worse."""
DISTANCES: dict[str, tuple[Callable[[Array], object], Callable[..., Estimate]]] = {
    "FID": (prepare, estimate_paired),
    "KID": (prepare_kernel, kernel_distance_paired),
    "MIND": (project, monge_distance_paired),
}
TAILS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "t, 5 degrees": lambda rng, shape: rng.standard_t(5, shape),
    "t, 3 degrees": lambda rng, shape: rng.standard_t(3, shape),
}


@dataclass(frozen=True)
class Measured:
    """Values and influences of one simulated test set, by distance and cell."""

    by_cell: dict[tuple[str, str], Estimate]

    def difference(self, distance: str, cell: str) -> tuple[float, float]:
        """A cell's distance minus that of the base, and its standard error."""
        base, other = self.by_cell[distance, BASE], self.by_cell[distance, cell]
        return other.value - base.value, standard_error(other.influence - base.influence)


def measured(a: Array, noise: Array, scale: Array) -> Measured:
    """All distances of all cells to the originals a (N, D)."""
    by_cell = {}
    for distance, (prepared, estimate) in DISTANCES.items():
        originals = prepared(a)
        for cell, (strength, shift) in CELLS.items():
            by_cell[distance, cell] = estimate(KEPT * a + (strength * noise + shift) * scale, originals)
    return Measured(by_cell)


def simulate(n: int, d: int, count: int, seed: int) -> list[Measured]:
    """Test sets of n images with d features."""
    rng, scale = np.random.default_rng(seed), np.arange(1, d + 1) ** -0.5
    return [measured(rng.standard_normal((n, d)) * scale, rng.standard_normal((n, d)), scale) for _ in range(count)]


def truth(distance: str, cell: str, d: int) -> float | None:
    """Distance between the distributions; None for KID, which is unbiased."""
    deviations, (noise, shift) = np.arange(1, d + 1) ** -0.5, CELLS[cell]
    change = (np.sqrt(KEPT**2 + noise**2) - 1) ** 2
    if distance == "FID":
        return float((change + shift**2) * (deviations**2).sum())
    along = change * (directions(d) ** 2 @ deviations**2) + (shift * directions(d) @ deviations) ** 2
    return float(3 * d * along.mean()) if distance == "MIND" else None


def bias_rows(n: int, d: int, sets: list[Measured]) -> list[str]:
    """Bias and error of the base cell."""
    rows = []
    for distance in DISTANCES:
        values = np.array([s.by_cell[distance, BASE].value for s in sets])
        errors = np.array([s.by_cell[distance, BASE].se for s in sets])
        true = truth(distance, BASE, d)
        known = "– | 0" if true is None else f"{true:.4g} | {values.mean() / true:.1f} times"
        rows.append(
            f"| {n} | {distance} | {known} | {values.mean():.4g} | {values.std(ddof=1):.2g} "
            f"| {errors.mean() / values.std(ddof=1):.2f} |"
        )
    return rows


def difference_rows(n: int, d: int, sets: list[Measured], cell: str) -> list[str]:
    """The measured difference of a cell from the base, in its own spread, and how often a test finds it."""
    rows = []
    for distance in DISTANCES:
        changes, errors = np.array([s.difference(distance, cell) for s in sets]).T
        ends = [truth(distance, c, d) for c in (cell, BASE)]
        true = "–" if ends[0] is None or ends[1] is None else f"{ends[0] - ends[1]:+.2g}"
        right = (changes < 0) == (cell == "noisier")
        found = np.abs(changes) > norm.ppf(0.975) * errors
        rows.append(
            f"| {n} | {distance} | {true} | {changes.mean():+.2g} | {changes.mean() / changes.std(ddof=1):+.1f} "
            f"| {right.mean():.0%} | {(found & right).mean():.0%} | {(found & ~right).mean():.0%} |"
        )
    return rows


def tail_rows(name: str, n: int, d: int, count: int, seed: int) -> list[str]:
    """Standard error over true spread, and the excess kurtosis of the influences, for a distribution of the features."""
    rng, scale = np.random.default_rng(seed), np.arange(1, d + 1) ** -0.5
    found: dict[str, list[tuple[float, float, float]]] = {distance: [] for distance in DISTANCES}
    for _ in range(count):
        a = TAILS[name](rng, (n, d)) * scale
        x = KEPT * a + CELLS[BASE][0] * TAILS[name](rng, (n, d)) * scale
        for distance, (_, estimate) in DISTANCES.items():
            result = estimate(x, a)
            found[distance].append((result.value, result.se, float(kurtosis(result.influence))))
    rows = []
    for distance, numbers in found.items():
        values, errors, tails = np.array(numbers).T
        low, middle, high = np.quantile(tails, [0.05, 0.5, 0.95])
        ratio = np.median(errors) / values.std(ddof=1)
        rows.append(f"| {name} | {distance} | {ratio:.2f} | {middle:.0f} | {low:.0f} to {high:.0f} |")
    return rows


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=12, help="test sets per N")
    parser.add_argument("--features", type=int, default=128, help="features per image")
    parser.add_argument("--images", type=int, nargs="+", default=[100, 747])
    parser.add_argument("--directions", type=int, default=200, help="directions of MIND; a run takes 1000")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    monge.N_DIRECTIONS = arguments.directions
    started, d, count = time.perf_counter(), arguments.features, arguments.simulations
    sets = {n: simulate(n, d, count, arguments.seed) for n in arguments.images}
    print(f"{count} test sets per N, D = {d}, {arguments.directions} directions, seed {arguments.seed}\n")
    print("| N | distance | true | mean over true | mean | true SD | mean SE / SD |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    print(*(row for n in sets for row in bias_rows(n, d, sets[n])), sep="\n")
    for cell in ("noisier", "shifted"):
        print(
            f"\n{cell}: noise {CELLS[cell][0]}, shift {CELLS[cell][1]}; the base: {CELLS[BASE][0]}, {CELLS[BASE][1]}\n"
        )
        print("| N | distance | true difference | measured | in its SDs | right sign | found | found, wrong sign |")
        print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        print(*(row for n in sets for row in difference_rows(n, d, sets[n], cell)), sep="\n")
    print(f"\nTails: {3 * count} test sets of 747 images, D = 64\n")
    print("| features | distance | median SE / SD | kurtosis | 90 % of test sets |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name in TAILS:
        print(*tail_rows(name, 747, 64, 3 * count, arguments.seed), sep="\n", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
