"""Progress of long work: a bar with an ETA on a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 15.0


class Reporter:
    """Counts work done against a total, in any unit of cost, and shows it on stderr.

    A context manager; `quiet` shows nothing, `stage` names the first stage of the work.
    """

    def __init__(self, total: float, quiet: bool = False, stage: str = "") -> None:
        self.total = max(total, 1e-9)
        self.done = 0.0
        self.stage = stage
        self.quiet = quiet
        console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.description:<28}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("elapsed"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
                speed_estimate_period=120,
            )
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Reporter:
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self.stage, total=self.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def describe(self, stage: str) -> None:
        """Name what is being done."""
        self.stage = stage
        if self._bar:
            self._bar.update(self._task, description=stage)
        else:
            self._line(force=True)

    def advance(self, work: float) -> None:
        """Count some work as done."""
        self.done = min(self.total, self.done + work)
        if self._bar:
            self._bar.update(self._task, completed=self.done)
        else:
            self._line()

    def _line(self, force: bool = False) -> None:
        now = time.monotonic()
        if self.quiet or (not force and now - self._last_line < SECONDS_BETWEEN_LINES):
            return
        self._last_line = now
        elapsed = now - self._start
        left = f", about {elapsed * (self.total / self.done - 1):.0f} s left" if self.done else ""
        print(
            f"{self.stage}: {100 * self.done / self.total:.0f} %, {elapsed:.0f} s elapsed{left}",
            file=sys.stderr,
            flush=True,
        )
