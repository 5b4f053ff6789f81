"""What a gate compares, and when it refuses: cells joined on their settings, over one test set and one extractor.

Weights and code may differ, that is the point. A difference of two scores means something only if the images, masks,
originals, extractor, quantisation and metric are the same on both sides, and if both sides have the same seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import NotComparableError
from bench.grid.plan import matches
from bench.results.joins import Settings, by_checkpoint_name, differences, grouped, labels, some
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.grid.sections import Axes
    from bench.results.finished_run import FinishedRun, ScoredCell

TRUTH_TOLERANCE = 0.01  # of the originals' features; half precision and another machine stay below 0.002


@dataclass(frozen=True)
class Pair:
    """A cell of the gate: its name, its settings without the seed, and both sides' rows, one a seed in equal order."""

    name: str
    settings: dict[str, Any]
    baseline: tuple[ScoredCell, ...]
    candidate: tuple[ScoredCell, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(scored.cell.trajectory.seed for scored in self.baseline)


def pair_cells(candidate: FinishedRun, baseline: FinishedRun, choices: Sequence[str | Axes]) -> list[Pair]:
    """Join the baseline's chosen cells with the candidate's.

    Args:
        candidate: The run in question.
        baseline: What it is measured against.
        choices: "all", cell ids of the baseline, and tables of settings. A cell is gated if any of them names it, with
            all its seeds.

    Raises:
        InputError: A choice that names no cell of the baseline.
        NotComparableError: What differs between the two sides.
    """
    apart = list(differences(candidate, baseline, ("the candidate", "the baseline")))
    by_name = by_checkpoint_name((candidate, baseline))
    theirs, ours = grouped(candidate, by_name), grouped(baseline, by_name)
    gated = _chosen(ours, choices, baseline)
    label = labels([*ours, *theirs])
    missing = [settings for settings in gated if settings not in theirs]
    if missing:
        apart.append(f"{some((label[s] for s in missing), 'baseline cell')} missing in the candidate")
    apart += [
        f"cell {label[settings]} has seeds {_seeds(theirs[settings])} in the candidate, {_seeds(ours[settings])} in the "
        "baseline"
        for settings in gated
        if settings in theirs and _seeds(theirs[settings]) != _seeds(ours[settings])
    ]
    if apart:
        raise _refusal(candidate, baseline, "; ".join(apart))
    names = labels(gated)
    return [Pair(names[settings], dict(settings), ours[settings], theirs[settings]) for settings in gated]


def require_same_truth(candidate: FinishedRun, baseline: FinishedRun, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Refuse two sides whose extractors see different features (N, D) in the same originals.

    Raises:
        NotComparableError: They differ by more than rounding.
    """
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    apart = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    if not apart <= TRUTH_TOLERANCE:
        raise _refusal(
            candidate,
            baseline,
            f"the same originals have features that are {100 * apart:.1f} % apart, so the extractor computes otherwise",
        )


def extra_cells(candidate: FinishedRun, baseline: FinishedRun, pairs: Sequence[Pair]) -> int:
    """Cells of the candidate, seeds not counted, that no pair holds."""
    return len(grouped(candidate, by_checkpoint_name((candidate, baseline)))) - len(pairs)


def _refusal(candidate: FinishedRun, baseline: FinishedRun, why: str) -> NotComparableError:
    return NotComparableError(
        f"{candidate.path} cannot be compared with {baseline.path}: {why}; run both on one test set with one extractor and "
        "one version of maskbench, or save a new baseline"
    )


def _chosen(
    groups: dict[Settings, tuple[ScoredCell, ...]], choices: Sequence[str | Axes], baseline: FinishedRun
) -> list[Settings]:
    """Settings of the cells that any choice names, in the baseline's order."""
    chosen: set[Settings] = set()
    for choice in choices:
        named = {key for key, group in groups.items() if any(_names(choice, scored) for scored in group)}
        if not named:
            text = choice if isinstance(choice, str) else choice.model_dump(exclude_none=True)
            raise InputError(f"gate.cells: {text} names no cell of the baseline {baseline.path}; see its cells.parquet")
        chosen |= named
    return [key for key in groups if key in chosen]


def _names(choice: str | Axes, scored: ScoredCell) -> bool:
    if isinstance(choice, str):
        return choice in ("all", scored.cell.cell_id)
    return matches(scored.cell, choice)


def _seeds(group: Sequence[ScoredCell]) -> str:
    return ", ".join(str(scored.cell.trajectory.seed) for scored in group)
