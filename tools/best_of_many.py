"""Rate of the confidence set of the best cell, and optimism of the lowest score: python -m tools.best_of_many RUN.

Every data set is drawn from a run's own influences: its distinct images are drawn with replacement, and each cell's score is
its true score plus the mean influence of the images drawn. So the errors have the run's joint covariance and its tails, and
every data set estimates the covariance itself. Scores are those of several assumed truths. For each, the page states

- coverage: how often the set holds the truly best cell (of equal best ones: the mean over them, and the worst cell), next to
  the rule of two standard errors above the lowest score;
- called worse: the share of cells truly equal to the best that are called worse;
- the number of cells in the set;
- optimism: the true score of the lowest cell minus its measured one, less the mean of that over all cells (which is 0 in the
  long run, and most of the noise of one data set), and the bounds that a report states for it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

from bench.metrics.multiple_comparisons import compare_with_best
from bench.metrics.statistics import group_sums
from bench.results.folder import open_run
from bench.results.influences import read_influences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PAIRWISE = 2.0  # standard errors of the rule compared with
HEADER = (
    "| truth | equal best cells | coverage, set (95 % interval) | worst cell | two standard errors | called worse, set "
    "| called worse, two standard errors | cells in the set | optimism | stated |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


@dataclass(frozen=True, eq=False)
class Population:
    """Measured scores (K,) and the influences (K, G) of the distinct images on them, copies summed; n: number of images."""

    scores: NDArray[np.float64]
    influences: NDArray[np.float64]
    n: int

    @classmethod
    def of(cls, run: Path) -> Population:
        """The distinct cells of a run; equal canvases make equal cells, of which one is kept."""
        opened = open_run(run)
        influences, scores = read_influences(opened), opened.cells.set_index("cell_id").score
        first = {influences.by_cell[cell_id].tobytes(): cell_id for cell_id in reversed(scores.index)}
        kept = [cell_id for cell_id in scores.index if cell_id in first.values()]
        sums = group_sums(np.stack([influences.by_cell[cell_id] for cell_id in kept], 1), influences.copy_of)
        return cls(scores[kept].to_numpy(), sums.T, len(influences.copy_of))

    def draw(self, truth: NDArray[np.float64], random: np.random.Generator) -> tuple[NDArray[np.float64], ...]:
        """Scores (K,) and influences (K, G) of one data set."""
        drawn = self.influences[:, random.integers(0, self.influences.shape[1], self.influences.shape[1])]
        mean = drawn.mean(1, keepdims=True)
        scale = self.influences.shape[1] / self.n
        return truth + scale * mean[:, 0], (drawn - mean) * scale


@dataclass
class Tally:
    """Counts over the data sets, for one truth; `best`: the cells truly equal to the best."""

    best: NDArray[np.intp]
    kept: list[NDArray[np.bool_]] = field(default_factory=list)
    kept_pairwise: list[NDArray[np.bool_]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    optimism: list[float] = field(default_factory=list)
    stated: list[tuple[float, float]] = field(default_factory=list)

    def add(self, truth: NDArray[np.float64], scores: NDArray[np.float64], influences: NDArray[np.float64]) -> None:
        """Count one data set."""
        compared, lowest = compare_with_best(scores, influences), int(scores.argmin())
        errors = np.linalg.norm(influences - influences[lowest], axis=1) / influences.shape[1]
        self.kept.append(compared.within_noise[self.best])
        self.kept_pairwise.append((scores - scores[lowest] <= PAIRWISE * errors)[self.best])
        self.sizes.append(int(compared.within_noise.sum()))
        errors_of_scores = scores - truth
        self.optimism.append(float(errors_of_scores.mean() - errors_of_scores[lowest]))
        self.stated.append(compared.optimism)

    def row(self, name: str) -> str:
        """A row of the table."""
        kept, pairwise = np.array(self.kept), np.array(self.kept_pairwise)
        successes = round(float(kept.mean()) * len(kept))
        low, high = binomtest(successes, len(kept)).proportion_ci(method="exact")
        stated = np.mean(self.stated, axis=0)
        return (
            f"| {name} | {len(self.best)} | {kept.mean():.1%} [{low:.1%}, {high:.1%}] | {kept.mean(0).min():.1%} "
            f"| {pairwise.mean():.1%} | {1 - kept.mean():.1%} | {1 - pairwise.mean():.1%} | {np.mean(self.sizes):.1f} "
            f"| {np.mean(self.optimism):.3f} ± {np.std(self.optimism) / len(kept) ** 0.5:.3f} "
            f"| {stated[0]:.3f} to {stated[1]:.3f} |"
        )


def truths(scores: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Assumed true scores, by name."""
    low, span = scores.min(), scores.max() - scores.min()
    yield "all equal", np.full(len(scores), low)
    yield "lower half of the range equal", np.where(scores < low + span / 2, low, scores)
    yield "as measured", scores
    yield "differences doubled", low + 2 * (scores - low)
    yield "one cell ahead by half the range", np.where(scores == low, low - span / 2, scores)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--simulations", type=int, default=500, help="data sets per truth")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started, population = time.perf_counter(), Population.of(arguments.run)
    images = population.influences.shape[1]
    print(
        f"{len(population.scores)} distinct cells, {images} distinct images, {arguments.simulations} data sets per truth\n"
    )
    print(HEADER)
    for name, truth in truths(population.scores):
        random, tally = np.random.default_rng(arguments.seed), Tally(np.flatnonzero(truth == truth.min()))
        for _ in range(arguments.simulations):
            tally.add(truth, *population.draw(truth, random))
        print(tally.row(name), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
