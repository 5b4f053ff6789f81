"""Several seeds: the spread of a score over seeds, its error over images, and how much of that error is decoding noise.

The spread over seeds is the spread of a setting's scores, one per seed. The error over images is the error of their mean:
the image is the sampling unit, so all its seeds are taken together (their influences are averaged before anything is
squared), and more seeds do not make a test set larger. Every image is decoded with random numbers of its own, so the error
over images already contains the decoding noise, which is never added to it.

Decoding noise of a difference: with one seed its variance over images is V₁ = σ² (test set) + τ² (decoding), with S seeds
averaged V_S = σ² + τ²/S. The influences of every seed give both, and so τ² = (V₁ − V_S) S/(S − 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median, stdev
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


@dataclass(frozen=True)
class DecodingNoise:
    """What the error of a difference from the best setting is made of, as medians over the settings.

    Attributes:
        seeds: Number of seeds.
        share: Share of decoding noise in the variance of a difference with one seed, in [0, 1]; the rest is the test set.
        se_one: Standard error of the difference with one seed.
        se: With all seeds.
        se_next: With one seed more.
    """

    seeds: int
    share: float
    se_one: float
    se: float
    se_next: float


def decoding_noise(spreads: Sequence[SeedSpread], influences: Influences | None) -> DecodingNoise | None:
    """Decoding noise in the differences from the setting with the best mean, over settings that have its seeds.

    None without influences, or without two such settings that differ.
    """
    if influences is None or len(spreads) < 2:
        return None
    best = min(spreads, key=lambda spread: spread.mean)
    count, parts = len(best.seeds), []
    for spread in spreads:
        if spread is best or spread.seeds != best.seeds:
            continue
        pairs = zip(spread.cell_ids, best.cell_ids, strict=True)
        differences = [influences.by_cell[a] - influences.by_cell[b] for a, b in pairs]
        one = fmean(influences.se(difference) ** 2 for difference in differences)
        every = influences.se(sum(differences[1:], differences[0]) / count) ** 2
        if one > 0:
            decoding = min(one, max(0.0, (one - every) * count / (count - 1)))
            parts.append((decoding / one, one, every, one - decoding + decoding / (count + 1)))
    if not parts:
        return None
    share, one, every, more = (median(values) for values in zip(*parts, strict=True))
    return DecodingNoise(count, share, sqrt(one), sqrt(every), sqrt(more))


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
