"""Pairs of cells that a gate compares, and reasons to refuse: cells are matched by settings, on one test set and extractor.

Weights and code may differ: comparing them is the purpose. A difference of two scores is meaningful only if images, masks,
originals, extractor, quantisation and metric are the same on both sides, and if both sides have the same seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import NotComparableError
from bench.gate.outcome import CRITICAL
from bench.grid.plan import matches
from bench.results.joins import Settings, by_checkpoint_name, differences, grouped, labels, some
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.grid.axes import Axes
    from bench.grid.sections import Tier
    from bench.results.finished_run import FinishedRun, ScoredCell

TRUTH_TOLERANCE = 0.01  # relative to the originals' features; half precision and another machine stay below 0.002


@dataclass(frozen=True)
class Pair:
    """A gated cell: its name, its settings without the seed, and the rows of both sides, one per seed in the same order.

    `tier` is the first of the gate's tiers that names the cell.
    """

    name: str
    settings: dict[str, Any]
    baseline: tuple[ScoredCell, ...]
    candidate: tuple[ScoredCell, ...]
    tier: Tier | None = None

    @property
    def family(self) -> str:
        """The cells that share one correction for their number: those of equal weight."""
        return self.tier.tier if self.tier else CRITICAL

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(scored.cell.trajectory.seed for scored in self.baseline)


def pair_cells(
    candidate: FinishedRun, baseline: FinishedRun, choices: Sequence[str | Axes], tiers: Sequence[Tier] = ()
) -> list[Pair]:
    """Match the baseline's chosen cells with the candidate's.

    Args:
        candidate: The run to judge.
        baseline: The run it is compared with.
        choices: "all", cell ids of the baseline, and tables of settings. A cell is gated, with all its seeds, if any
            choice names it.
        tiers: Weights and limits of cells.

    Raises:
        InputError: A choice names no cell of the baseline.
        NotComparableError: The two sides differ; the message says in what.
    """
    mismatches = list(differences(candidate, baseline, ("the candidate", "the baseline")))
    by_name = by_checkpoint_name((candidate, baseline))
    theirs, ours = grouped(candidate, by_name), grouped(baseline, by_name)
    gated = _chosen(ours, choices, baseline)
    label = labels([*ours, *theirs])
    missing = [settings for settings in gated if settings not in theirs]
    if missing:
        mismatches.append(f"{some((label[s] for s in missing), 'baseline cell')} missing in the candidate")
    mismatches += [
        f"cell {label[settings]} has seeds {_seeds(theirs[settings])} in the candidate, {_seeds(ours[settings])} in the "
        "baseline"
        for settings in gated
        if settings in theirs and _seeds(theirs[settings]) != _seeds(ours[settings])
    ]
    if mismatches:
        raise _refusal(candidate, baseline, "; ".join(mismatches))
    names, tier = labels(gated), _tiers(ours, tiers, baseline)
    return [
        Pair(names[settings], dict(settings), ours[settings], theirs[settings], tier.get(settings))
        for settings in gated
    ]


def require_same_truth(candidate: FinishedRun, baseline: FinishedRun, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Refuse two sides whose extractors compute different features (N, D) for the same originals.

    Raises:
        NotComparableError: They differ by more than rounding.
    """
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    distance = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    if not distance <= TRUTH_TOLERANCE:
        raise _refusal(
            candidate,
            baseline,
            f"features of the same originals differ by {100 * distance:.1f} %, so the extractors are not the same",
        )


def extra_cells(candidate: FinishedRun, baseline: FinishedRun, pairs: Sequence[Pair]) -> int:
    """Number of cells of the candidate, not counting seeds, that are in no pair."""
    return len(grouped(candidate, by_checkpoint_name((candidate, baseline)))) - len(pairs)


def _refusal(candidate: FinishedRun, baseline: FinishedRun, why: str) -> NotComparableError:
    return NotComparableError(
        f"{candidate.path} cannot be compared with {baseline.path}: {why}; run both on one test set with one extractor and "
        "one version of maskbench, or save a new baseline"
    )


def _tiers(
    groups: dict[Settings, tuple[ScoredCell, ...]], tiers: Sequence[Tier], baseline: FinishedRun
) -> dict[Settings, Tier]:
    """The first tier that names each cell."""
    assigned: dict[Settings, Tier] = {}
    for tier in reversed(tiers):
        assigned |= dict.fromkeys(_chosen(groups, tier.cells, baseline, "gate.tiers.cells"), tier)
    return assigned


def _chosen(
    groups: dict[Settings, tuple[ScoredCell, ...]],
    choices: Sequence[str | Axes],
    baseline: FinishedRun,
    key: str = "gate.cells",
) -> list[Settings]:
    """Settings of all chosen cells, in the baseline's order."""
    chosen: set[Settings] = set()
    for choice in choices:
        named = {settings for settings, group in groups.items() if any(_names(choice, scored) for scored in group)}
        if not named:
            text = choice if isinstance(choice, str) else choice.model_dump(exclude_none=True)
            raise InputError(f"{key}: {text} names no cell of the baseline {baseline.path}; see its cells.parquet")
        chosen |= named
    return [settings for settings in groups if settings in chosen]


def _names(choice: str | Axes, scored: ScoredCell) -> bool:
    if isinstance(choice, str):
        return choice in ("all", scored.cell.cell_id)
    return matches(scored.cell, choice)


def _seeds(group: Sequence[ScoredCell]) -> str:
    return ", ".join(str(scored.cell.trajectory.seed) for scored in group)
