"""Values of the user's own gamma functions in a grid: from the functions, or as an earlier run recorded them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maskgit.checkpoints.python_part import is_python
from maskgit.errors import InputError
from maskgit.own_schedules import OwnGamma, load_gamma, to_text, values_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.grid.plan import Trajectory

Recorded = dict[str, dict[int, str]]
"""Values as text, by gamma and T."""


@dataclass
class OwnGammas:
    """Each function is loaded once, and called once per T.

    Attributes:
        base: Folder that the files of the functions are relative to; None if no code may run.
        values: Values known so far.
    """

    base: Path | None
    values: Recorded = field(default_factory=dict)
    _functions: dict[str, OwnGamma] = field(default_factory=dict)

    def text(self, gamma: str, total_iter: int) -> str:
        """The values of a function at r = 0, 1/T, …, 1; empty for a gamma function that is not the user's own.

        Raises:
            InputError: It cannot be used, or its values were not recorded.
        """
        if not is_python(gamma):
            return ""
        by_total = self.values.setdefault(gamma, {})
        if total_iter not in by_total:
            by_total[total_iter] = self._computed(gamma, total_iter)
        return by_total[total_iter]

    def _computed(self, gamma: str, total_iter: int) -> str:
        if self.base is None:
            raise InputError(f"gamma = {gamma!r}: its values for T = {total_iter} were not recorded; run again")
        if gamma not in self._functions:
            self._functions[gamma] = load_gamma(gamma, self.base)
        return to_text(values_at(self._functions[gamma], total_iter, gamma))


def recorded(trajectories: Iterable[Trajectory]) -> Recorded:
    """The values that some trajectories hold."""
    values: Recorded = {}
    for trajectory in trajectories:
        if trajectory.gamma_values:
            values.setdefault(trajectory.gamma, {})[trajectory.total_iter] = trajectory.gamma_values
    return values
