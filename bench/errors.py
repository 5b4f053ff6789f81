"""Errors of the harness and their exit codes; only the command line turns an error into its code."""

from __future__ import annotations

from maskgit.errors import InputError, MaskgitError

EXIT_OK = 0
EXIT_REGRESSION = 1
EXIT_BAD_INPUT = 2
EXIT_NOT_COMPARABLE = 3
EXIT_INCOMPLETE = 4
EXIT_INCONCLUSIVE = 5  # only where asked for
EXIT_DEFECT = 70  # EX_SOFTWARE of sysexits.h: must not be mistaken for a regression
EXIT_INTERRUPTED = 130


class IncompleteRunError(MaskgitError):
    """A run folder without finished tables."""


class NotComparableError(MaskgitError):
    """Two runs whose scores cannot be compared, or a missing baseline: one line that says what differs."""


def exit_code(error: MaskgitError) -> int:
    """The documented exit code of an error."""
    if isinstance(error, NotComparableError):
        return EXIT_NOT_COMPARABLE
    return EXIT_INCOMPLETE if isinstance(error, IncompleteRunError) else EXIT_BAD_INPUT


__all__ = [
    "EXIT_BAD_INPUT",
    "EXIT_DEFECT",
    "EXIT_INCOMPLETE",
    "EXIT_INCONCLUSIVE",
    "EXIT_INTERRUPTED",
    "EXIT_NOT_COMPARABLE",
    "EXIT_OK",
    "EXIT_REGRESSION",
    "IncompleteRunError",
    "InputError",
    "NotComparableError",
    "exit_code",
]
