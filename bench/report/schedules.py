"""The mask schedules of a run as curves: γ(r) of every gamma function in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.grid.settings import GAMMA_VALUES
from maskgit.errors import InputError
from maskgit.own_schedules import from_text
from maskgit.schedules import schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.cells import Cell

POINTS = 51


@dataclass(frozen=True)
class ScheduleCurve:
    """γ(r) of one gamma function.

    Attributes:
        gamma: Its name.
        hole_tokens: Tokens of the hole.
        ratios: r, the share of the steps done.
        masked_share: Share of the hole that is still masked at r.
    """

    gamma: str
    hole_tokens: int
    ratios: tuple[float, ...]
    masked_share: tuple[float, ...]


def schedule_curves(cells: Sequence[Cell], hole_tokens: int) -> tuple[ScheduleCurve, ...]:
    """Curves of every gamma function from r = 0 to 1; functions unknown to this version are left out.

    One of the user's own is drawn through its values, those of the largest T.
    """
    ratios = tuple(float(r) for r in np.linspace(0, 1, POINTS))
    curves = []
    values = {cell.gamma: cell.settings[GAMMA_VALUES.name] for cell in sorted(cells, key=lambda cell: cell.total_iter)}
    for name in dict.fromkeys(cell.gamma for cell in cells):
        try:
            gamma = from_text(values[name]) if values[name] else schedule(name)
        except (InputError, ValueError):
            continue
        shares = tuple(float(gamma(r, np.array([hole_tokens]))[0]) for r in ratios)
        curves.append(ScheduleCurve(name, hole_tokens, ratios, shares))
    return tuple(curves)
