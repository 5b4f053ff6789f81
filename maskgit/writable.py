"""Whether a folder takes files."""

from __future__ import annotations

import os
from pathlib import Path


def make_writable(folder: Path) -> None:
    """Make a folder, or find it there, and prove that it takes files by writing one and taking it away.

    Raises:
        OSError: It cannot be made or written to; the caller says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".write-test-{os.getpid()}"
    probe.touch()
    probe.unlink()
