"""The latest run of a folder of runs, for commands that are given none."""

from __future__ import annotations

from pathlib import Path

from maskgit.errors import InputError

RESULTS = Path("results")


def latest_run(root: Path = RESULTS) -> Path:
    """The run folder directly in `root` that was written last.

    Raises:
        InputError: There is none.
    """
    written = {path.parent: path.stat().st_mtime for path in root.glob("*/run.json")}
    if not written:
        raise InputError(f"RUN: name a run folder; there is none in {root}/ to take by default")
    return max(written, key=lambda run: (written[run], run.name))
