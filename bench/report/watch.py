"""`maskbench watch`: the progress of a run in another process, then its summary."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.errors import IncompleteRunError
from bench.progress.displays import choose_display
from bench.progress.state_file import PROGRESS_FILE, read_state
from bench.run.lock import LOCK_FILE, read_owner
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.progress.displays import State

POLL_S = 1.0


def watch(run: Path, as_json: bool = False, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show the progress of the run in a folder until it ends; returns at once if no process runs there any more.

    Args:
        run: The run folder.
        as_json: Show JSON lines.
        sleep: Waits for some seconds.

    Raises:
        InputError: There is no such folder, or no run has begun in it.
        IncompleteRunError: The run stopped before its end.
    """
    if not run.is_dir():
        raise InputError(f"{run}: no such run folder; `maskbench run GRID.toml --output {run}` creates one")
    state = read_state(run)
    if state is not None and _runs(run):
        _follow(run, state, as_json, sleep)
    if not (run / "run.json").is_file():
        if state is None:
            raise InputError(f"{run}: no run in progress; `maskbench run GRID.toml --output {run}` starts one")
        raise IncompleteRunError(f"{run}: stopped before its end; the same `maskbench run` command resumes it")


def _runs(run: Path) -> bool:
    """True if a process holds the lock of the folder."""
    owner = read_owner(run / LOCK_FILE)
    return owner is not None and owner.may_live


def _follow(run: Path, state: State, as_json: bool, sleep: Callable[[float], None]) -> None:
    display = choose_display(quiet=False, as_json=as_json)
    display.start(state)
    try:
        while _runs(run):
            before, state = state, read_state(run) or state
            display.show(state, before.place, due=state != before)
            sleep(POLL_S)
    finally:
        display.end(state, finished=(run / "run.json").is_file())


__all__ = ["PROGRESS_FILE", "watch"]
