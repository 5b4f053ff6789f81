"""Report problems with files in one line; a problem that many files share is reported once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LISTED = 20
"""Most problems that a message lists."""
ALIKE = 4
"""From this many files with the same problem, they are counted instead of listed."""
NAMED = 3
"""Number of files that are named when files are counted."""


class ProblemList(InputError):
    """Bad files in one line; `problems` holds one entry per file, for programs."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def problem_list(
    where: str,
    problems: Sequence[str],
    remedy: str = "fix or remove these files",
    total: int | None = None,
) -> ProblemList:
    """Describe problems file by file, or once if at least four files have the same problem.

    Args:
        where: Folder or file at fault.
        problems: At least one "name: problem", optionally followed by "; remedy". Texts that differ only in their numbers
            count as the same.
        remedy: Remedy for problems that do not state one themselves.
        total: Number of files or rows, to say if all of them have a problem.
    """
    groups: dict[str, list[str]] = {}
    for problem in problems:
        groups.setdefault(_kind(problem), []).append(problem)
    lines = [
        line for group in groups.values() for line in (_group_lines(group, total) if len(group) >= ALIKE else group)
    ]
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    more = f"; and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    listed = "; ".join(lines[:LISTED])
    unsaid = "" if all("; " in problem for problem in problems) else f" ({remedy})"
    return ProblemList(f"{count} in {one_line(where)}{unsaid}: {listed}{more}", problems)


def short_name(path: Path) -> str:
    """Folder and file name, as used in problems."""
    return one_line(f"{path.parent.name}/{path.name}")


def some_of(names: Sequence[str]) -> str:
    """The first names of a list, for notes: `a, b, c, …`."""
    return f"{', '.join(map(one_line, names[:NAMED]))}{', …' if len(names) > NAMED else ''}"


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _kind(problem: str) -> str:
    """The text of a problem without its file and its numbers."""
    return re.sub(r"\d[\d.,]*", "0", problem.partition(": ")[2] or problem)


def _group_lines(problems: Sequence[str], total: int | None) -> list[str]:
    """One line for problems of one kind; the text is the first file's."""
    names = [problem.partition(": ")[0] for problem in problems]
    all_of = "all " if len(problems) == total else ""
    return [f"{all_of}{len(problems)} ({some_of(names)}): {problems[0].partition(': ')[2]}"]
