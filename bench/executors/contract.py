"""The contract between a run and its executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


class Executor(Protocol):
    """Does every task at least once, in any order, and yields each outcome exactly once, as soon as it is ready.

    Tasks are independent and commit their results to the store before they return. So doing a task twice, or on
    another machine that shares the store, changes nothing. The first error ends the work and is raised unchanged.
    """

    def __call__(self, tasks: Sequence[Task], work: Callable[[Task], Outcome]) -> Iterable[Outcome]:
        """Do the tasks."""
        ...
