"""The mask schedules of a run as curves: γ(r) of every gamma function in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maskgit.errors import InputError
from maskgit.schedules import schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def schedule_curves(gammas: Sequence[str], hole_tokens: int) -> tuple[ScheduleCurve, ...]:
    """Curves of every gamma function from r = 0 to 1; functions unknown to this version are left out."""
    ratios = tuple(float(r) for r in np.linspace(0, 1, POINTS))
    curves = []
    for name in gammas:
        try:
            gamma = schedule(name)
        except InputError:
            continue
        shares = tuple(float(gamma(r, np.array([hole_tokens]))[0]) for r in ratios)
        curves.append(ScheduleCurve(name, hole_tokens, ratios, shares))
    return tuple(curves)
