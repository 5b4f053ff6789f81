"""Several seeds: the spread of a score over seeds, and its error over images. The two are never mixed.

The spread over seeds is the spread of a setting's scores, one per seed. The error over images is the error of their mean:
the image is the sampling unit, so all its seeds are taken together (their influences are averaged before anything is
squared), and more seeds do not make a test set larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from bench.results.cells import AXES, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.influences import Influences

AXES_BUT_SEED = ("gamma", "total_iter", "sweet_spot", *(axis for axis in AXES if axis != "seed"))


@dataclass(frozen=True)
class SeedSpread:
    """A setting over its seeds.

    Attributes:
        settings: All its settings except the seed.
        cell_ids: Its cells, one per seed.
        seeds: The seeds.
        scores: One score per seed.
        mean: Mean of the scores.
        sd_over_seeds: Sample standard deviation of the scores (over n − 1).
        se_over_images: Standard error of the mean over images; None if the run has no influences yet.
    """

    settings: dict[str, Any]
    cell_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    mean: float
    sd_over_seeds: float
    se_over_images: float | None


def spread_over_seeds(cells: Sequence[Cell], influences: Influences | None) -> tuple[SeedSpread, ...]:
    """One entry per setting that was scored with more than one seed, in the order of the cells."""
    groups: dict[tuple[Any, ...], list[tuple[Cell, float]]] = {}
    for cell in cells:
        if cell.score is not None:
            groups.setdefault(tuple(cell.settings[axis] for axis in AXES_BUT_SEED), []).append((cell, cell.score))
    return tuple(
        _spread(dict(zip(AXES_BUT_SEED, key, strict=True)), group, influences)
        for key, group in groups.items()
        if len(group) > 1
    )


def _spread(settings: dict[str, Any], group: Sequence[tuple[Cell, float]], influences: Influences | None) -> SeedSpread:
    cell_ids = tuple(cell.cell_id for cell, _ in group)
    scores = tuple(score for _, score in group)
    return SeedSpread(
        settings=settings,
        cell_ids=cell_ids,
        seeds=tuple(cell.seed for cell, _ in group),
        scores=scores,
        mean=fmean(scores),
        sd_over_seeds=stdev(scores),
        se_over_images=influences.se(influences.on_mean(cell_ids)) if influences else None,
    )
