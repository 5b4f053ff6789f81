"""Several epochs of one training: files that match a pattern, in order of their numbers (no torch)."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable


def expand(patterns: Iterable[Path], base: Path) -> tuple[Path, ...]:
    """Expand paths and glob patterns to files, each once: in the order given, those of one pattern sorted by number.

    Args:
        patterns: "epoch_*.pt", "**/best.pt" or plain paths, which need not exist.
        base: Folder that relative ones start from; the result is relative to it too.

    Raises:
        CheckpointError: a pattern matches no file.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        place = base / pattern.expanduser()
        if place.exists() or not glob.has_magic(str(pattern)):
            files[pattern] = None
            continue
        matches = [Path(match) for match in glob.glob(str(pattern.expanduser()), root_dir=base, recursive=True)]  # noqa: PTH207
        # (Path.glob takes no absolute patterns)
        matches = sorted((path for path in matches if (base / path).is_file()), key=by_number)
        if not matches:
            start = base.resolve()
            raise CheckpointError(
                f"model.transformer = {str(pattern)!r}: matches no file; correct the pattern, which starts from {start}"
            )
        files |= dict.fromkeys(matches)
    return tuple(files)


def by_number(path: Path) -> list[str | int]:
    """Sort key that puts epoch_9 before epoch_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", path.as_posix())]
