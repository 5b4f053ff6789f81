"""Scores by gamma and sweet spot: a table for each total_iter of each combination of the other settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.document.text import clean
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.results.cells import Cell

Place = tuple[str, int]  # gamma, sweet spot


@dataclass(frozen=True)
class ScoreGrid:
    """gamma × sweet spot at one total_iter.

    Attributes:
        settings: Settings that distinguish this table from the others.
        total_iter: T.
        gammas: Names of the rows.
        sweet_spots: Names of the columns.
        scores: By gamma and sweet spot; None: no score yet.
        cell_ids: The cells of these scores; None: no such cell.
        images_per_s: Speed of each sweet spot, if every gamma runs at the same speed.
        best: The best score of the table.
        worst: The worst score of the table; None if all are equal.
    """

    settings: dict[str, Any]
    total_iter: int
    gammas: tuple[str, ...]
    sweet_spots: tuple[int, ...]
    scores: tuple[tuple[float | None, ...], ...]
    cell_ids: tuple[tuple[str | None, ...], ...]
    images_per_s: tuple[float | None, ...]
    best: float | None
    worst: float | None


def score_grids(cells: Sequence[Cell], varied: Mapping[str, tuple[Any, ...]], run: Path) -> tuple[ScoreGrid, ...]:
    """All tables, in the order of the cells.

    Raises:
        InputError: Two cells have the same settings.
    """
    groups: dict[tuple[Any, ...], dict[Place, Cell]] = {}
    for cell in cells:
        group = groups.setdefault((*(cell.settings[axis] for axis in varied), cell.total_iter), {})
        place = (cell.gamma, cell.sweet_spot)
        if place in group:
            raise InputError(
                f"{clean(run / 'cells.parquet')}: cells {clean(group[place].cell_id)} and {clean(cell.cell_id)} have the"
                " same settings; run again into an empty folder"
            )
        group[place] = cell
    return tuple(_grid(dict(zip(varied, key[:-1], strict=True)), key[-1], group) for key, group in groups.items())


def _grid(settings: dict[str, Any], total_iter: int, group: Mapping[Place, Cell]) -> ScoreGrid:
    gammas = tuple(dict.fromkeys(gamma for gamma, _ in group))
    spots = tuple(sorted({spot for _, spot in group}))
    scores = tuple(tuple(group[g, s].score if (g, s) in group else None for s in spots) for g in gammas)
    known = [score for row in scores for score in row if score is not None]
    return ScoreGrid(
        settings=settings,
        total_iter=total_iter,
        gammas=gammas,
        sweet_spots=spots,
        scores=scores,
        cell_ids=tuple(tuple(group[g, s].cell_id if (g, s) in group else None for s in spots) for g in gammas),
        images_per_s=tuple(_common_speed([group[g, s] for g in gammas if (g, s) in group]) for s in spots),
        best=min(known, default=None),
        worst=max(known) if len(set(known)) > 1 else None,
    )


def _common_speed(cells: Sequence[Cell]) -> float | None:
    """The speed of a column if its cells agree to 1 %; otherwise None."""
    speeds = [cell.images_per_s or 0.0 for cell in cells]
    return speeds[0] if min(speeds) > 0 and max(speeds) <= 1.01 * min(speeds) else None
