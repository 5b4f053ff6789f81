"""The local executor: one process, one task after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from bench.executors.contract import Workload

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def execute(tasks: Iterable[Task], workload: Workload[Task, Outcome]) -> Generator[Outcome]:
    """Do the tasks in this process, in the order given."""
    for task in tasks:
        yield workload.here(task)
