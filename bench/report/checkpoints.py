"""Several checkpoints in one run: the score of each setting with each of them, as over the epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.results.cells import AXES, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.influences import Influences

AXES_BUT_CHECKPOINT = (
    "gamma", "total_iter", "sweet_spot", *(axis for axis in AXES if axis not in ("checkpoint", "seed")),
)  # fmt: skip


@dataclass(frozen=True)
class CheckpointScore:
    """A setting's score with one checkpoint, and its change from the previous checkpoint.

    Attributes:
        checkpoint: Its name.
        cell_ids: The cells, one per seed.
        score: Mean over the seeds.
        se: Its standard error over images; None if the run has no influences yet.
        change: Score minus that of the previous checkpoint: negative is better; None for the first.
        change_se: Standard error of the change over images; both scores use the same images, so it is smaller than their
            errors suggest.
    """

    checkpoint: str
    cell_ids: tuple[str, ...]
    score: float
    se: float | None
    change: float | None
    change_se: float | None


@dataclass(frozen=True)
class OverCheckpoints:
    """A setting (checkpoint and seed left out) with every checkpoint that has a score, in the order of the run's list."""

    settings: dict[str, Any]
    scores: tuple[CheckpointScore, ...]

    @property
    def best(self) -> CheckpointScore:
        """The checkpoint with the best score."""
        return min(self.scores, key=lambda point: point.score)


def over_checkpoints(
    cells: Sequence[Cell], order: Sequence[str], influences: Influences | None
) -> tuple[OverCheckpoints, ...]:
    """One entry per setting that was scored with more than one checkpoint, in the order of the cells.

    Args:
        cells: The cells.
        order: Names of the checkpoints in the order of the run's list, which is the order of training.
        influences: Influences of the images on the cells' scores.
    """
    groups: dict[tuple[Any, ...], dict[str, list[Cell]]] = {}
    for cell in cells:
        if cell.score is not None:
            by_checkpoint = groups.setdefault(tuple(cell.settings[axis] for axis in AXES_BUT_CHECKPOINT), {})
            by_checkpoint.setdefault(cell.checkpoint, []).append(cell)
    return tuple(
        OverCheckpoints(
            settings=dict(zip(AXES_BUT_CHECKPOINT, key, strict=True)),
            scores=_scores([(name, group[name]) for name in order if name in group], influences),
        )
        for key, group in groups.items()
        if len(group) > 1
    )


def _scores(groups: Sequence[tuple[str, Sequence[Cell]]], influences: Influences | None) -> tuple[CheckpointScore, ...]:
    scores: list[CheckpointScore] = []
    for name, cells in groups:
        cell_ids = tuple(cell.cell_id for cell in cells)
        score = fmean(cell.score for cell in cells if cell.score is not None)
        before = scores[-1] if scores else None
        se = change_se = None
        if influences:
            influence = influences.on_mean(cell_ids)
            se = influences.se(influence)
            change_se = influences.se(influence - influences.on_mean(before.cell_ids)) if before else None
        change = score - before.score if before else None
        scores.append(CheckpointScore(name, cell_ids, score, se, change, change_se))
    return tuple(scores)
