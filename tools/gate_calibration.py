"""Calibrate the gate's statistics, and time it: python tools/gate_calibration.py [--part …] [--simulations …].

Prints Markdown tables: how often a candidate that is not worse than its baseline is called worse, how often a worse one is
detected, and how long a gate takes. Intervals are 95 % Clopper–Pearson intervals.

**Simulated data.** Direction k of the features has a standard deviation σ_k of k^−decay over the originals, which have a
skewed (exponential) distribution. An image with a hole of size h, drawn separately for each image, has

    x_k = shift σ_k + keep a_k + noise h σ_k e_k,      E h² = 1,      e_k standard normal, drawn separately for each side.

So the distance between the distributions is known: Σ σ_k² [shift² + (√(keep² + noise²) − 1)²]. A *true rise* of 10 % means
that the candidate's shift makes this distance 10 % greater.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from bench.gate.comparable import Pair
from bench.gate.contrast import Contrast, contrast
from bench.gate.decision import count_permutations, decide
from bench.gate.outcome import FAIL, INCONCLUSIVE, WARN
from bench.gate.swap import random_signs
from bench.gate.verdict import POWER, Evidence, judge
from bench.grid.sections import SCORE_TOLERANCE, GateSection
from bench.metrics.frechet import prepare
from bench.metrics.statistics import group_codes, holm
from bench.results.finished_run import features, open_evaluated, truth
from bench.run.environment import describe

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "bench" / "gate"))
from typing import TYPE_CHECKING

from sides import Side, a_cell, write_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = NDArray[np.float64]
RULES = GateSection()
RUN: list[Path] = []  # a run of several seeds, from the command line
ALPHA = RULES.alpha


@dataclass(frozen=True)
class Model:
    """Model of a side's features, given the originals'; see above."""

    shift: float = 0.2
    keep: float = 0.85
    noise: float = 0.4

    def distance(self, total_variance: float) -> float:
        """Fréchet distance between the distributions."""
        return total_variance * (self.shift**2 + (sqrt(self.keep**2 + self.noise**2) - 1) ** 2)

    def worse(self, rise: float) -> Model:
        """The same model, shifted further so that the distance rises by a share."""
        return replace(self, shift=sqrt((1 + rise) * self.distance(1.0) - self.distance(1.0) + self.shift**2))


SHIFTED = Model(shift=0.2, keep=1.0, noise=0.0001)
BLURRED = Model(shift=0.0, keep=0.8, noise=0.0001)  # the same distance from different errors
NOISY = Model(shift=0.0, keep=1.0, noise=sqrt(0.44))  # the same distance from different errors


@dataclass(frozen=True)
class Case:
    """N images, D features, a spectrum that falls like k^−decay, seeds, and number of copies of each original."""

    n: int
    d: int
    decay: float = 1.0
    seeds: int = 1
    copies: int = 1

    def __str__(self) -> str:
        extra = f", {self.seeds} seeds" * (self.seeds > 1) + f", every image {self.copies} times" * (self.copies > 1)
        return f"{self.n} | {self.d} | k^−{self.decay:g}{extra}"

    @property
    def scales(self) -> Array:
        """σ_k, (D,)."""
        return np.arange(1, self.d + 1) ** -self.decay

    @property
    def groups(self) -> NDArray[np.int64]:
        """Group number of each image, (N,); copies of one original share a number."""
        return np.arange(self.n) // self.copies

    def originals(self, rng: np.random.Generator) -> Array:
        """Features of the originals, (N, D)."""
        distinct = rng.exponential(size=(self.groups[-1] + 1, self.d)) - 1
        return (distinct * self.scales)[self.groups]

    def side(
        self,
        a: Array,
        model: Model,
        holes: Array,
        rng: np.random.Generator,
        common: Array | float = 0.0,
        own: float = 1.0,
    ) -> list[Array]:
        """Features (N, D) of each seed, with the noise `common` (seeds, N, D) and as much of `own` noise."""
        noise = common + own * rng.normal(size=(self.seeds, *a.shape))
        return list(model.shift * self.scales + model.keep * a + model.noise * holes * self.scales * noise)

    def compare(
        self, baseline: Model, candidate: Model, number: int, n_cells: int = 1, shared: float = 0.0
    ) -> list[Contrast]:
        """The gate's contrasts for cells over the same originals; the sides have a share `shared` of the noise in common."""
        rng = np.random.default_rng([number, self.n, self.d])
        a = self.originals(rng)
        holes = rng.uniform(0.1, 0.3, (self.n, 1)) / sqrt(0.13 / 3)  # E h² = 1
        signs = random_signs(count_permutations(RULES, n_cells), int(self.groups[-1]) + 1, rng)
        reference = prepare(a)
        contrasts = []
        for _ in range(n_cells):
            common = rng.normal(size=(self.seeds, *a.shape)) * sqrt(shared) if shared else 0.0
            sides = [self.side(a, model, holes, rng, common, sqrt(1 - shared)) for model in (baseline, candidate)]
            contrasts.append(contrast(*sides, reference, self.groups, signs, ALPHA))
        return contrasts


SMALL = [
    Case(200, 16), Case(747, 64), Case(200, 64, 0.5), Case(200, 64, seeds=3), Case(400, 32, copies=2),
]  # fmt: skip
FEW_IMAGES = [Case(60, 256), Case(60, 256, 0.5), Case(100, 400, 0.5)]


def share(hits: int, trials: int) -> str:
    """A share with its interval."""
    low, high = binomtest(hits, trials).proportion_ci(method="exact")
    return f"{100 * hits / trials:.1f} % | {100 * low:.1f} to {100 * high:.1f} %"


def false_alarms(cases: list[Case], simulations: int) -> Iterator[str]:
    """Candidates with exactly the distribution of their baseline, result cell and four cells at a time."""
    yield "| N | D | spectrum | cells | simulations | false alarms at α = 5 % | interval | fail (tolerance 1 %) |"
    yield "| ---: | ---: | :--- | ---: | ---: | ---: | ---: | ---: |"
    for case in cases:
        for n_cells in (1, 4):
            alarms = fails = 0
            for number in range(simulations):
                contrasts = case.compare(Model(), Model(), number, n_cells)
                adjusted = holm([result.p for result in contrasts])
                alarms += bool((adjusted <= ALPHA).any())
                beyond = np.array([result.difference > SCORE_TOLERANCE * result.baseline_score for result in contrasts])
                fails += bool(((adjusted <= ALPHA) & beyond).any())
            failed = f"{100 * fails / simulations:.1f} %"
            yield f"| {case} | {n_cells} | {simulations} | {share(alarms, simulations)} | {failed} |"


def other_errors(simulations: int) -> Iterator[str]:
    """Candidates as far from the originals as their baseline, with errors of another kind: pairs are not exchangeable."""
    yield "| N | D | spectrum | baseline | candidate | simulations | called worse at α = 5 % | interval |"
    yield "| ---: | ---: | :--- | :--- | :--- | ---: | ---: | ---: |"
    names = {"shifted": SHIFTED, "blurred": BLURRED, "noisy": NOISY}
    for case in (Case(747, 64), Case(747, 16)):
        for before, after in (
            ("shifted", "blurred"),
            ("blurred", "shifted"),
            ("shifted", "noisy"),
            ("noisy", "shifted"),
        ):
            hits = sum(case.compare(names[before], names[after], i)[0].p <= ALPHA for i in range(simulations))
            yield f"| {case} | {before} | {after} | {simulations} | {share(hits, simulations)} |"


def power(simulations: int) -> Iterator[str]:
    """Rate at which a candidate with a stated true rise is called worse."""
    yield "| N | D | spectrum | true rise | simulations | detected at α = 5 % | interval | rise / SE |"
    yield "| ---: | ---: | :--- | ---: | ---: | ---: | ---: | ---: |"
    for case in (Case(200, 64), Case(747, 64), Case(747, 64, seeds=3)):
        total_variance = float(case.scales @ case.scales)
        before = Model().distance(total_variance)
        typical_se = np.median([case.compare(Model(), Model(), 10**6 + i)[0].se for i in range(20)])
        sizes = NormalDist().inv_cdf(1 - ALPHA) + NormalDist().inv_cdf(POWER)
        for rise, note in [
            *((r, "") for r in (0.02, 0.05, 0.1, 0.2)),
            (sizes * typical_se / before, " (stated as detectable)"),
        ]:
            contrasts = [case.compare(Model(), Model().worse(rise), i)[0] for i in range(simulations)]
            hits = sum(result.p <= ALPHA for result in contrasts)
            mean_se = np.mean([result.se for result in contrasts])
            ratio = f"{rise * before / mean_se:.1f}"
            yield f"| {case} | {100 * rise:.1f} %{note} | {simulations} | {share(hits, simulations)} | {ratio} |"


def tolerance(simulations: int) -> Iterator[str]:
    """Verdicts by the true rise, with the tolerance compared with the upper confidence limit and with the estimate."""
    columns = "fail | warn | inconclusive | pass, better or noted"
    yield f"| N | D | spectrum | tolerance | true rise | SE / tolerance | tolerance_test | simulations | {columns} |"
    yield "| ---: | ---: | :--- | ---: | :--- | ---: | :--- | ---: | ---: | ---: | ---: | ---: |"
    one, three = Case(747, 64), Case(747, 64, seeds=3)
    for case, allowed in ((one, 0.1), (one, 0.3), (one, 0.6), (three, 0.1)):
        distance = Model().distance(float(case.scales @ case.scales))
        for rise, name in ((0.0, "none"), (allowed, "the tolerance"), (2 * allowed, "twice the tolerance")):
            contrasts = [case.compare(Model(), Model().worse(rise), i)[0] for i in range(simulations)]
            error = np.mean([result.se for result in contrasts]) / (allowed * distance)
            for test in ("noninferiority", "estimate"):
                rules = GateSection(tolerance_absolute=allowed * distance, tolerance_test=test)
                verdicts = [_verdict(result, rules) for result in contrasts]
                shares = [verdicts.count(name) for name in (FAIL, WARN, INCONCLUSIVE)]
                rates = " | ".join(f"{100 * n / simulations:.1f} %" for n in [*shares, simulations - sum(shares)])
                yield f"| {case} | {100 * allowed:.0f} % | {name} | {error:.2f} | {test} | {simulations} | {rates} |"


def _verdict(result: Contrast, rules: GateSection) -> str:
    evidence = Evidence(result, result.p, result.p_better, 1, None, None, same_weights=False)
    return judge(Pair("", {}, (), ()), evidence, rules).verdict


def noise_seeds(simulations: int) -> Iterator[str]:
    """False alarms if both sides share part of the noise of decoding (equal seeds), or none of it (other seeds)."""
    columns = "noise in common | simulations | called worse at α = 5 % | interval | called better"
    yield f"| features | N | D | spectrum | {columns} |"
    yield "| :--- | ---: | ---: | :--- | :--- | ---: | ---: | ---: | ---: |"
    for case in (Case(200, 64), Case(100, 400, 0.5), Case(200, 64, seeds=3)):
        for shared, name in ((0.9, "90 %, as with equal seeds"), (0.5, "50 %"), (0.0, "none, as with other seeds")):
            contrasts = [case.compare(Model(), Model(), i, shared=shared)[0] for i in range(simulations)]
            yield _alarms("simulated", str(case), name, contrasts)
    if RUN:
        originals, seeds, groups = _stored(RUN[0])
        shape = f"{len(originals)} | {originals.shape[1]} | of {len(seeds)} seeds of one model"
        reference = prepare(originals)
        contrasts = []
        for number in range(simulations):
            rng = np.random.default_rng(number)
            signs = random_signs(count_permutations(RULES, 1), int(groups[-1]) + 1, rng)
            # Each image takes two of its seeds: both sides have the same distribution, whatever it is.
            order = rng.permuted(np.tile(np.arange(len(seeds)), (len(originals), 1)), axis=1)
            sides = [[seeds[order[:, side], np.arange(len(originals))]] for side in (0, 1)]
            contrasts.append(contrast(*sides, reference, groups, signs, ALPHA))
        yield _alarms("stored", shape, "none, as with other seeds", contrasts)


def _alarms(source: str, shape: str, name: str, contrasts: list[Contrast]) -> str:
    hits = sum(result.p <= ALPHA for result in contrasts)
    better = 100 * sum(result.p_better <= ALPHA for result in contrasts) / len(contrasts)
    return f"| {source} | {shape} | {name} | {len(contrasts)} | {share(hits, len(contrasts))} | {better:.1f} % |"


def _stored(run: Path) -> tuple[Array, Array, NDArray[np.int64]]:
    """Features of the originals (N, D), of each seed of the first cell (seeds, N, D), and the groups of equal originals."""
    side = open_evaluated(run)
    first = side.scored[0].cell
    cells = [
        scored.cell
        for scored in side.scored
        if replace(scored.cell, trajectory=replace(scored.cell.trajectory, seed=first.trajectory.seed)) == first
    ]
    rows = features(side, cells)
    return truth(side), np.stack([rows[cell] for cell in cells]), group_codes(side.images.copy_of, len(side.images))


def duration(simulations: int) -> Iterator[str]:
    """Seconds of a whole gate, from two saved baselines on disk to the decision, near the decision and far from it."""
    del simulations  # one gate each
    columns = (
        "cells | candidate | seconds | CPU seconds | swaps per cell | evaluated per cell | prediction error / SE | z"
    )
    yield f"| N | D | spectrum | {columns} |"
    yield "| ---: | ---: | :--- | ---: | :--- | ---: | ---: | ---: | :--- | ---: | :--- |"
    case = Case(747, 2048, 0.5)
    for n_cells in (4, 20):
        for name, rise in (("the same", 0.0), ("near the decision", 0.06), ("clearly worse", 0.4)):
            with tempfile.TemporaryDirectory() as folder:
                _write_sides(Path(folder), case, n_cells, Model(), Model().worse(rise))
                started, busy = time.perf_counter(), time.process_time()
                sides = [open_evaluated(Path(folder) / side) for side in ("candidate", "baseline")]
                outcome = decide(*sides, RULES, "defaults")
                seconds, busy = time.perf_counter() - started, time.process_time() - busy
            tested = [cell for cell in outcome.cells if cell.p_swap is not None]
            swaps = max((cell.permutations for cell in tested), default=0)
            evaluated = ", ".join(str(cell.evaluated) for cell in outcome.cells[:4])
            z = ", ".join(f"{cell.z:.1f}" for cell in outcome.cells[:4])
            more = ", …" * (n_cells > 4)
            errors = [cell.prediction_error / cell.se for cell in tested]
            error = f"{max(errors):.2f}" if errors else "–"
            took = f"{seconds:.1f} | {busy:.1f}"
            yield f"| {case} | {n_cells} | {name} | {took} | {swaps} | {evaluated}{more} | {error} | {z}{more} |"


def _write_sides(folder: Path, case: Case, n_cells: int, baseline: Model, candidate: Model) -> None:
    rng = np.random.default_rng(n_cells)
    a = case.originals(rng)
    holes = rng.uniform(0.1, 0.3, (case.n, 1)) / sqrt(0.13 / 3)
    for name, model in (("baseline", baseline), ("candidate", candidate)):
        features = {a_cell(spot + 1): case.side(a, model, holes, rng)[0] for spot in range(n_cells)}
        write_side(folder / name, Side(features, a))


@dataclass(frozen=True)
class Part:
    """A table: title, explanation, the function that measures it, and simulations per row."""

    title: str
    text: str
    measure: Callable[[int], Iterator[str]]
    simulations: int


PARTS = {
    "null": Part(
        "False alarms",
        "Candidates with exactly the distribution of their baseline, one cell and four cells at a time: how often any cell "
        "is significant after Holm.",
        lambda n: false_alarms(SMALL, n),
        2000,
    ),
    "few-images": Part(
        "False alarms with fewer images than features", "As above.", lambda n: false_alarms(FEW_IMAGES, n), 200
    ),
    "other-errors": Part(
        "The same distance by other errors",
        "Candidates as far from the originals as their baseline, but with errors of another kind, so that pairs are not "
        "exchangeable and only large N helps. A shift alone moves the mean and leaves the spread unchanged.",
        other_errors,
        500,
    ),
    "power": Part("Power", "How often a candidate with a stated true rise is called worse, one cell.", power, 500),
    "tolerance": Part(
        "Non-inferiority",
        "Verdicts of candidates with a stated true rise: none, as much as the tolerance, and twice as much, one cell. The "
        'last column is the share that passes; with `inconclusive = "fail"` those of the column before it fail as well. The '
        "tolerance is a share of the true distance, which has no floor here, so that it is one of the excess.",
        tolerance,
        400,
    ),
    "seeds": Part(
        "Noise seeds",
        "Candidates with exactly the distribution of their baseline, whose noise of decoding is partly the same (equal "
        "seeds, other weights) or independent (other seeds). The stored features are those of `--run`; of each image, two of "
        "the seeds are drawn at random. The noise of *training* is in none of these: the gate does not cover it.",
        noise_seeds,
        500,
    ),
    "time": Part(
        "Time",
        "A whole gate, from two saved baselines on disk to the decision, near it and far from it. z and evaluated swaps are "
        "those of the first four cells; the prediction error is the largest.",
        duration,
        1,
    ),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    parser.add_argument("--simulations", type=int, help="of each row, instead of each part's own number")
    parser.add_argument("--run", type=Path, help="a run of several seeds, for the part seeds")
    arguments = parser.parse_args()
    RUN.extend([arguments.run] if arguments.run else [])
    machine = describe("cpu", 1)
    command = " ".join(["python tools/gate_calibration.py", *sys.argv[1:]])
    print(f"# Calibration of the gate\n\n`{command}`; its docstring explains how features are drawn.", end=" ")
    print(f"{time.strftime('%d %B %Y')}, {machine['cpu']}, numpy {machine['numpy']}.\n")
    for part in (PARTS[name] for name in arguments.part or PARTS):
        started = time.perf_counter()
        print(f"## {part.title}\n\n{part.text}\n")
        for line in part.measure(arguments.simulations or part.simulations):
            print(line, flush=True)
        print(f"\nTook {time.perf_counter() - started:.0f} s.\n", flush=True)


if __name__ == "__main__":
    main()
