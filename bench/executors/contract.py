"""What a run expects of an executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


class Executor(Protocol):
    """Does every task at least once, in any order, and hands out the outcome of each exactly once, as it is finished.

    Tasks depend on no other task and commit what they make to the store before they return, so doing one twice, or
    on another machine that shares the store, changes nothing. The first error ends the work; it is raised as it is.
    """

    def __call__(self, tasks: Sequence[Task], work: Callable[[Task], Outcome]) -> Iterable[Outcome]:
        """Do the tasks."""
        ...
