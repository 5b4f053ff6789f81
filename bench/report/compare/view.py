"""The view model of a comparison: cells matched by their settings, every run against the first.

The error of a difference is the paired one: SE = ‖I_b − I_a‖/n, where I are the images' influences on the scores
(bench.results.influences). It needs images.parquet and no features. Intervals are at 95 % each, Δ ± 1.96 SE, without
correction for the number of cells; `maskbench gate` applies one.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist, fmean, median
from typing import TYPE_CHECKING, Any

from bench.errors import NotComparableError
from bench.results.cells import Score, read_score
from bench.results.declared import require_declared
from bench.results.finished_run import FinishedRun, ScoredCell
from bench.results.folder import open_run
from bench.results.influences import Influences, read_influences
from bench.results.joins import Settings, by_checkpoint_name, differences, grouped, labels, some
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONFIDENCE = 0.95
BETTER, WORSE, UNCLEAR, EQUAL = "better", "worse", "unclear", "equal"


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs.

    Attributes:
        path: The path as given.
        name: Name of the run.
        complete: True if it has finished.
        checkpoints: Fingerprint by name.
        machine: Device, processor and threads, in words.
        reference_ms: Time of the reference workload, which measures the speed of the machine; None if not recorded.
        cells: Number of its cells.
    """

    path: str
    name: str
    complete: bool
    checkpoints: dict[str, str]
    machine: str
    reference_ms: float | None
    cells: int


@dataclass(frozen=True)
class Difference:
    """A cell of a run minus that of the first run: negative is better.

    Attributes:
        value: Difference of the scores.
        se: Its standard error over images.
        low: Lower end of the 95 % interval.
        high: Upper end.
        verdict: "better" or "worse" if the interval excludes 0, else "unclear"; "equal" if no image differs.
        speed_ratio: Images per second as a ratio to the first run's.
    """

    value: float
    se: float
    low: float
    high: float
    verdict: str
    speed_ratio: float


@dataclass(frozen=True)
class Result:
    """Result of one run for a setting: means over its seeds (speed: the median), the error over images."""

    cell_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    score: float
    se: float
    images_per_s: float
    against_first: Difference | None


@dataclass(frozen=True)
class SettingRow:
    """A setting (without its seed) in every run; None if a run has no such cell."""

    name: str
    settings: dict[str, Any]
    results: tuple[Result | None, ...]

    @property
    def best(self) -> Result:
        """The result with the best score."""
        return min((result for result in self.results if result), key=lambda result: result.score)


@dataclass(frozen=True)
class ComparisonView:
    """Runs side by side; the others are compared with the first.

    Attributes:
        metric: The score.
        confidence: Confidence of the intervals.
        n_images: Test images.
        n_distinct: Distinct originals among them: the sampling units.
        runs: The runs.
        rows: The settings, in the order of the first run.
        notes: Caveats, to read before quoting a number.
    """

    metric: Score
    confidence: float
    n_images: int
    n_distinct: int
    runs: tuple[ComparedRun, ...]
    rows: tuple[SettingRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Side:
    evaluated: FinishedRun
    influences: Influences
    cells: dict[Settings, tuple[ScoredCell, ...]]


def build_comparison(paths: Sequence[Path]) -> ComparisonView:
    """Read runs and compare the others with the first.

    Raises:
        InputError: There are fewer than two runs, or one is missing or damaged.
        NotComparableError: Test sets, extractors or metrics differ, or the runs have no setting in common.
        IncompleteRunError: A run has no tables yet.
    """
    if len(paths) < 2:
        raise InputError("compare: give at least two runs; the others are compared with the first")
    opened = [FinishedRun(open_run(path)) for path in paths]
    for side in opened:
        require_declared(side.run)
    for side in opened:
        if side.saved:
            raise InputError(f"{side.path}: a saved baseline, which has no influences of images; name its run folder")
    first = opened[0]
    for run in opened[1:]:
        require_comparable(first, run)
    by_name = by_checkpoint_name(opened)
    sides = [_Side(run, read_influences(run.run), grouped(run, by_name)) for run in opened]
    every = list(dict.fromkeys(key for side in sides for key in side.cells))
    if not any(key in side.cells for side in sides[1:] for key in sides[0].cells):
        listed = ", ".join(str(side.evaluated.path) for side in sides[1:])
        raise NotComparableError(f"{first.path} and {listed}: no cell with the same settings; compare runs of one grid")
    names = labels(every)
    return ComparisonView(
        metric=read_score(first.run.table("cells"), first.run.record, first.path),
        confidence=CONFIDENCE,
        n_images=len(first.images),
        n_distinct=int(first.images.copy_of.nunique()),
        runs=tuple(map(_compared, opened)),
        rows=tuple(SettingRow(names[key], dict(key), _results(key, sides)) for key in every),
        notes=tuple(_notes(sides, every, names)),
    )


def require_comparable(first: FinishedRun, run: FinishedRun) -> None:
    """Refuse two runs whose scores measure different things.

    Raises:
        NotComparableError: They differ; the message says in what.
    """
    mismatches = list(differences(run, first, (str(run.path), str(first.path))))
    if mismatches:
        raise NotComparableError(
            f"{run.path} cannot be compared with {first.path}: {'; '.join(mismatches)}; run both on the same test set with "
            "the same extractor and the same version of maskbench"
        )


def _results(key: Settings, sides: Sequence[_Side]) -> tuple[Result | None, ...]:
    results: list[Result | None] = []
    for side in sides:
        group = side.cells.get(key)
        results.append(_result(key, group, side, sides[0]) if group else None)
    return tuple(results)


def _result(key: Settings, group: Sequence[ScoredCell], side: _Side, first: _Side) -> Result:
    cell_ids = _ids(group)
    reference = first.cells.get(key) if side is not first else None
    return Result(
        cell_ids=cell_ids,
        seeds=_seeds(group),
        score=_score(group),
        se=side.influences.se(side.influences.on_mean(cell_ids)),
        images_per_s=_speed(group),
        against_first=_difference(reference, first, group, side) if reference else None,
    )


def _difference(reference: Sequence[ScoredCell], first: _Side, group: Sequence[ScoredCell], side: _Side) -> Difference:
    value = _score(group) - _score(reference)
    influence = side.influences.on_mean(_ids(group)) - first.influences.on_mean(_ids(reference))
    se = first.influences.se(influence)
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * se
    verdict = BETTER if value + half < 0 else WORSE if value - half > 0 else UNCLEAR
    if value == 0 and not influence.any():
        verdict = EQUAL
    return Difference(value, se, value - half, value + half, verdict, _speed(group) / _speed(reference))


def _ids(group: Sequence[ScoredCell]) -> tuple[str, ...]:
    return tuple(scored.cell_id for scored in group)


def _seeds(group: Sequence[ScoredCell]) -> tuple[int, ...]:
    return tuple(scored.cell.trajectory.seed for scored in group)


def _score(group: Sequence[ScoredCell]) -> float:
    return fmean(scored.score for scored in group)


def _speed(group: Sequence[ScoredCell]) -> float:
    return median(scored.images_per_s for scored in group)


def _compared(run: FinishedRun) -> ComparedRun:
    environment = run.run.record.environment
    parts = [environment.get(key) for key in ("device", "gpu", "cpu")]
    threads = f"{environment.get('threads')} threads" if environment.get("threads") else None
    return ComparedRun(
        path=str(run.path),
        name=run.run.record.name,
        complete=run.run.complete,
        checkpoints=run.weights,
        machine=" · ".join(str(part) for part in [*parts, threads] if part),
        reference_ms=run.reference_ms,
        cells=len(run.scored),
    )


def _notes(sides: Sequence[_Side], every: Sequence[Settings], names: dict[Settings, str]) -> list[str]:
    """Caveats to read before quoting a number; runs are numbered from 1."""
    notes = [
        f"Run {place} is incomplete: its missing cells are not in the table."
        for place, side in enumerate(sides, 1)
        if not side.evaluated.run.complete
    ]
    for place, side in enumerate(sides, 1):
        if missing := [names[key] for key in every if key not in side.cells]:
            notes.append(f"Run {place} lacks {some(missing, 'cell')}.")
    for place, side in enumerate(sides[1:], 2):
        common = [key for key in sides[0].cells if key in side.cells]
        if unlike := [names[key] for key in common if _seeds(side.cells[key]) != _seeds(sides[0].cells[key])]:
            notes.append(
                f"Runs 1 and {place} have different seeds in {some(unlike, 'cell')}: the difference includes seed noise."
            )
    precisions = dict.fromkeys(side.evaluated.precision for side in sides if side.evaluated.precision)
    if len(precisions) > 1:
        notes.append(f"The runs used different precisions ({', '.join(precisions)}): part of a difference is rounding.")
    if len({_compared(side.evaluated).machine for side in sides}) > 1:
        notes.append("The runs used different machines or thread counts, which the ratio of speeds includes.")
    return notes
