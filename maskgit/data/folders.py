"""Folders of numbered images: which files count, and which number each has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from maskgit.data.problems import counted, short_name, some_of
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir"})
"""What operating systems put beside a user's files, in lower case; so are all names that start with a dot."""

_LARGEST = 2**63 - 1  # image ids are int64


def is_system_file(name: str) -> bool:
    """Whether a file or folder was put there by an operating system or is hidden: no command reads it."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def listed(folder: Path) -> list[Path]:
    """The files of a folder in order of their names, at least one; system files and sub-folders are skipped.

    Raises:
        InputError: no such folder, a file, or no file in it.
    """
    shown = one_line(str(folder))
    try:
        paths = sorted(path for path in folder.iterdir() if not is_system_file(path.name) and not path.is_dir())
    except NotADirectoryError:
        raise InputError(f"{shown}: a file; give the folder that holds the images") from None
    except OSError as error:
        raise InputError(f"{shown}: {error.strerror}; give a folder that can be read") from error
    if not paths:
        below = passed_over(folder)
        there = f", but the sub-folder{'s' if len(below) > 1 else ''} {some_of(below)}" if below else ""
        raise InputError(f"{shown}: no files in it{there}; give the folder that holds the images")
    return paths


def skipped_note(folders: Sequence[Path]) -> list[str]:
    """One note on the system files of folders, or none where there are none."""
    names = [path.name for folder in folders for path in sorted(folder.iterdir()) if is_system_file(path.name)]
    return [f"skipped {counted(len(names), 'system file')} ({some_of(list(dict.fromkeys(names)))})"] if names else []


def passed_over(folder: Path) -> tuple[str, ...]:
    """Names of a folder's sub-folders, system folders left out: `listed` does not look into them."""
    return tuple(sorted(path.name for path in folder.iterdir() if not is_system_file(path.name) and path.is_dir()))


def scan(folder: Path) -> tuple[dict[int, Path], list[str]]:
    """The images of a folder by the last number in their names, extension aside: `image_007.png` is 7.

    System files and sub-folders are skipped. The order of the folder plays no part.

    Returns:
        Path by number, ascending; and what is wrong with single files: no number, or one that another file has too.

    Raises:
        InputError: no such folder, or no file in it.
    """
    return by_number(listed(folder))


def by_number(paths: Sequence[Path]) -> tuple[dict[int, Path], list[str]]:
    """Order files by the last number in their names; what is wrong with single ones is returned as well."""
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
    """The numbers in a file's name, extension aside, in their order; None for one that is no int64."""
    # The length is looked at first: int() refuses thousands of digits with an error of its own.
    return [
        int(digits) if len(digits.lstrip("0")) <= 19 and int(digits) <= _LARGEST else None
        for digits in re.findall("[0-9]+", path.stem)
    ]
