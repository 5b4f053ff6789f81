"""List folders of numbered images: the files that count, and the number of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from maskgit.data.problems import counted, short_name, some_of
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir"})
"""Files that operating systems add to folders, in lower case; names that start with a dot are skipped as well."""

_LARGEST = 2**63 - 1  # image ids are int64


def is_system_file(name: str) -> bool:
    """True if a file or folder is hidden or was added by an operating system: no command reads it."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def listed(folder: Path) -> list[Path]:
    """List the files of a folder in order of their names; system files and sub-folders are skipped.

    Raises:
        InputError: no such folder, a file, or no file in it.
    """
    name = one_line(str(folder))
    try:
        paths = sorted(path for path in folder.iterdir() if not is_system_file(path.name) and not path.is_dir())
    except NotADirectoryError:
        raise InputError(f"{name}: a file; give the folder that holds the images") from None
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; give a folder that can be read") from error
    if not paths:
        below = passed_over(folder)
        there = f", but the sub-folder{'s' if len(below) > 1 else ''} {some_of(below)}" if below else ""
        raise InputError(f"{name}: no files in it{there}; give the folder that holds the images")
    return paths


def skipped_note(folders: Sequence[Path]) -> list[str]:
    """One note on the system files in folders, or no note if there are none."""
    names = [path.name for folder in folders for path in sorted(folder.iterdir()) if is_system_file(path.name)]
    return [f"skipped {counted(len(names), 'system file')} ({some_of(list(dict.fromkeys(names)))})"] if names else []


def passed_over(folder: Path) -> tuple[str, ...]:
    """Names of a folder's sub-folders, which `listed` does not search; system folders are left out."""
    return tuple(sorted(path.name for path in folder.iterdir() if not is_system_file(path.name) and path.is_dir()))


def scan(folder: Path) -> tuple[dict[int, Path], list[str]]:
    """Map the images of a folder by the last number in their names, without the extension: `image_007.png` is 7.

    System files and sub-folders are skipped. The order of the folder does not matter.

    Returns:
        Path by number, ascending; and problems with single files: no number, or the number of another file.

    Raises:
        InputError: no such folder, or no file in it.
    """
    return by_number(listed(folder))


def by_number(paths: Sequence[Path]) -> tuple[dict[int, Path], list[str]]:
    """Order files by the last number in their names; also returns problems with single files."""
    problems: list[str] = []
    paths_of: dict[int, list[Path]] = {}
    for path in paths:
        numbers = numbers_in(path)
        if not numbers:
            problems.append(f"{short_name(path)}: no number in its name")
        elif numbers[-1] is None:
            problems.append(f"{short_name(path)}: its number is larger than {_LARGEST}")
        else:
            paths_of.setdefault(numbers[-1], []).append(path)
    for number, same in paths_of.items():
        if len(same) > 1:
            problems.append(f"{', '.join(short_name(path) for path in same)}: all have the number {number}")
    return {number: paths_of[number][0] for number in sorted(paths_of)}, problems


def numbers_in(path: Path) -> list[int | None]:
    """Numbers in a file's name without its extension, in order; None for one that does not fit into int64."""
    # The length is checked first: int() raises on thousands of digits.
    return [
        int(digits) if len(digits.lstrip("0")) <= 19 and int(digits) <= _LARGEST else None
        for digits in re.findall("[0-9]+", path.stem)
    ]
