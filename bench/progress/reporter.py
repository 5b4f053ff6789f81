"""Progress of long work: the share done, the speed, the time left, and the best cell so far.

Work is counted in any unit of cost. Work found in the store counts as done, but not towards the speed.
`bench.progress.displays` shows the result.
"""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from bench.progress.displays import Best, Display, Place, State, choose_display
from bench.progress.state_file import remove_state, write_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

SECONDS_BETWEEN_LINES = 15.0
SECONDS_BETWEEN_FILES = 1.0
SHARE_THAT_TELLS = 0.02
"""Smallest share of the work not found in the store that gives a speed: costs are estimates, and decoding comes first."""


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
        folder: Path | None = None,
    ) -> None:
        """Start counting.

        Args:
            total: All work, in any unit of cost.
            quiet: Show only skipped checkpoints and warnings.
            stage: Name of the first stage.
            images: The same work in images, for the speed; None if it is not counted in images.
            as_json: Show JSON lines; overrides `quiet`.
            clock: A clock in seconds, with any origin.
            folder: Folder that gets a file of the progress while work is done in it, for `maskbench watch`.
        """
        self._total = max(total, 1e-9)
        self._images_per_unit = images / self._total if images else None
        self._done = self._found = 0.0
        self._place = Place(stage)
        self._best: Best | None = None
        self._clock = clock
        self._start = self._last_shown = clock()
        self._display: Display = choose_display(quiet, as_json)
        self._folder, self._last_written = folder, -inf

    def __enter__(self) -> Reporter:
        self._display.start(self._state())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.end(self._state(), finished=kind is None)
        if self._folder is not None and kind is None and self._last_written > -inf:
            remove_state(self._folder)

    @property
    def done(self) -> float:
        """Work done so far."""
        return self._done

    @property
    def left(self) -> float:
        """Work that is left."""
        return self._total - self._done

    def at(self, place: Place) -> None:
        """Set the current place."""
        before, self._place = self._place, place
        self._show(before)

    def advance(self, work: float, found: bool = False) -> None:
        """Count work as done; `found`: it was stored already, so it does not count towards the speed."""
        work = min(work, self._total - self._done)
        self._done += work
        self._found += work if found else 0.0
        self._show(self._place)

    def reach(self, done: float) -> None:
        """Count work as done up to `done`; the part that did not have to be done does not count towards the speed."""
        if done > self._done:
            self.advance(done - self._done, found=True)

    def best(self, best: Best) -> None:
        """Set the best cell so far; shown with the next update."""
        self._best = best

    def skip(self, checkpoint: str, reason: str) -> None:
        """Report that a checkpoint is skipped; always shown."""
        self._display.skipped(checkpoint, reason)

    def warn(self, message: str) -> None:
        """Show a warning; always shown."""
        self._display.warned(message)

    def forgo(self, work: float) -> None:
        """Subtract work that will not be done from the total."""
        self._total = max(self._done, self._total - max(work, 0.0), 1e-9)

    def _show(self, before: Place) -> None:
        now = self._clock()
        due = now - self._last_shown >= SECONDS_BETWEEN_LINES
        if self._display.show(self._state(), before, due):
            self._last_shown = now
        if self._folder is not None and now - self._last_written >= SECONDS_BETWEEN_FILES:
            self._last_written = now
            write_state(self._folder, self._state())

    def _state(self) -> State:
        elapsed = self._clock() - self._start
        fresh = self._done - self._found
        images_per_unit = self._images_per_unit
        timed = elapsed > 0 and fresh >= SHARE_THAT_TELLS * (self._total - self._found) > 0
        return State(
            place=self._place,
            share=self._done / self._total,
            done=round(self._done * images_per_unit) if images_per_unit else None,
            total=round(self._total * images_per_unit) if images_per_unit else None,
            images_per_s=fresh * images_per_unit / elapsed if images_per_unit and timed else None,
            elapsed_s=elapsed,
            eta_s=elapsed * (self._total - self._done) / fresh if timed else None,
            best=self._best,
        )


__all__ = ["Best", "Place", "Reporter"]
