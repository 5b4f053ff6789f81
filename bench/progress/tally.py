"""A tally of progress, for work in a process that shows none; the process that shows progress counts it later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.progress.displays import Place


@dataclass
class Tally:
    """Work done, in the units of a `Reporter`.

    Attributes:
        done: All work done.
        found: The part of it that was stored already.
        warnings: Lines to show.
    """

    done: float = 0.0
    found: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def at(self, place: Place) -> None:
        """Nothing: only the other process knows the position of the run."""

    def advance(self, work: float, found: bool = False) -> None:
        """Count work as done; `found`: it was stored already."""
        self.done += work
        self.found += work if found else 0.0

    def reach(self, done: float) -> None:
        """Count work as done up to `done`; the rest did not have to be done."""
        if done > self.done:
            self.advance(done - self.done, found=True)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)
