"""Write a folder of files whole, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from maskgit.data.folders import one_line
from maskgit.errors import InputError


def require_new(out: Path) -> None:
    """Refuse a folder to write that holds something, or is a file.

    Raises:
        InputError: It does, or is.
    """
    shown = one_line(str(out))
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{shown}: holds files already; give a new or an empty folder")
    if out.exists() and not out.is_dir():
        raise InputError(f"{shown}: a file; give a new or an empty folder")


def all_or_nothing(out: Path, write: Callable[[Path], None]) -> None:
    """Fill a scratch folder, and hand over what is in it at the end: a stop at any moment leaves no half of it.

    A new folder is filled beside its place and gets its name at the end. An empty one that is there already stays, for it
    may be a mount point or have rights of its own; its scratch folder lies within it.

    Args:
        out: Folder to make, or an empty one.
        write: Fills the folder it is given.

    Raises:
        InputError: `out` holds something, is a file, or cannot be written; nothing is left behind.
    """
    target, there = out.resolve(), out.is_dir()
    try:
        require_new(out)
        if not there:
            target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target if there else target.parent) as scratch:
            folder = Path(scratch) / "whole"
            folder.mkdir()
            write(folder)
            if there:
                for entry in sorted(folder.iterdir()):
                    entry.rename(target / entry.name)
            else:
                folder.rename(target)
    except OSError as error:
        raise InputError(
            f"{one_line(str(out))}: cannot be written ({error.strerror}); give a folder that can"
        ) from error
