"""The local executor: one process, one task after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def execute(tasks: Sequence[Task], work: Callable[[Task], Outcome]) -> Iterator[Outcome]:
    """Do the tasks in this process, in the order given."""
    for task in tasks:
        yield work(task)
