"""Progress of long work: what is done of how much, how fast, how long yet, and the best cell so far.

Work is counted in any unit of cost; what was found in the store counts as done, but not for the speed.
`bench.progress.displays` shows it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.progress.displays import Best, Display, Place, State, choose_display

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

SECONDS_BETWEEN_LINES = 15.0
SHARE_THAT_TELLS = 0.02
"""Of the work not found in the store: what the parts cost is estimated, and decoding, the first, says little of the rest."""


class Reporter:
    """Counts work done against a total, and shows it on stderr; a context manager."""

    def __init__(
        self,
        total: float,
        quiet: bool = False,
        stage: str = "",
        images: int | None = None,
        as_json: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the work out.

        Args:
            total: The work, in any unit of cost.
            quiet: Show nothing but what was skipped.
            stage: Name of the first stage.
            images: What the work amounts to in images, for the speed; None where it is not counted in them.
            as_json: Show JSON lines, whatever `quiet` says.
            clock: Seconds, from any start.
        """
        self._total = max(total, 1e-9)
        self._images_a_unit = images / self._total if images else None
        self._done = self._found = 0.0
        self._place = Place(stage)
        self._best: Best | None = None
        self._clock = clock
        self._start = self._last_shown = clock()
        self._display: Display = choose_display(quiet, as_json)

    def __enter__(self) -> Reporter:
        self._display.start(self._state())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.end(self._state(), finished=kind is None)

    @property
    def done(self) -> float:
        """Work done so far."""
        return self._done

    def at(self, place: Place) -> None:
        """Say where the work is."""
        before, self._place = self._place, place
        self._show(before)

    def advance(self, work: float, found: bool = False) -> None:
        """Count some work as done; `found`: it was there already, so it says nothing of the speed."""
        work = min(work, self._total - self._done)
        self._done += work
        self._found += work if found else 0.0
        self._show(self._place)

    def reach(self, done: float) -> None:
        """Count work as done up to a mark: what was estimated and did not have to be done says nothing of the speed."""
        if done > self._done:
            self.advance(done - self._done, found=True)

    def best(self, best: Best) -> None:
        """Name the best cell so far; shown with what comes next."""
        self._best = best

    def skip(self, checkpoint: str, reason: str) -> None:
        """Say that a checkpoint is skipped; shown always."""
        self._display.skipped(checkpoint, reason)

    def warn(self, message: str) -> None:
        """Say something a user must know; shown always."""
        self._display.warned(message)

    def forgo(self, work: float) -> None:
        """Take work out of the total that will not be done."""
        self._total = max(self._done, self._total - max(work, 0.0), 1e-9)

    def _show(self, before: Place) -> None:
        now = self._clock()
        due = now - self._last_shown >= SECONDS_BETWEEN_LINES
        if self._display.show(self._state(), before, due):
            self._last_shown = now

    def _state(self) -> State:
        elapsed = self._clock() - self._start
        fresh = self._done - self._found
        a_unit = self._images_a_unit
        timed = elapsed > 0 and fresh >= SHARE_THAT_TELLS * (self._total - self._found) > 0
        return State(
            place=self._place,
            share=self._done / self._total,
            done=round(self._done * a_unit) if a_unit else None,
            total=round(self._total * a_unit) if a_unit else None,
            images_per_s=fresh * a_unit / elapsed if a_unit and timed else None,
            elapsed_s=elapsed,
            eta_s=elapsed * (self._total - self._done) / fresh if timed else None,
            best=self._best,
        )


__all__ = ["Best", "Place", "Reporter"]
