"""The executor shared: several processes run the same command on one run folder, and each does the next free task.

There is no coordinator: processes may start and end at any time. When this executor ends, every task has been done by
some process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bench.executors.claims import Claims

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from bench.executors.contract import Placement, Workload

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

POLL_S = 1.0
"""Most seconds between two looks at the tasks of other processes."""


@dataclass(frozen=True)
class SharedExecutor:
    """Does the tasks that no other process has claimed."""

    placement: Placement

    def __call__(self, tasks: Iterable[Task], workload: Workload[Task, Outcome]) -> Generator[Outcome]:
        """Do the tasks together with other processes; yields the outcomes of this process's tasks."""
        claims = Claims(self.placement.claims, self.placement.claim_timeout_s)
        missing = {workload.name(task): task for task in tasks}
        with claims.alive():
            while missing:
                before = len(missing)
                for name, task in list(missing.items()):
                    if claims.is_done(name):
                        del missing[name]
                        workload.done_elsewhere(task)
                    elif claims.take(name):
                        try:
                            outcome = workload.here(task)
                            claims.finish(name)
                        finally:
                            claims.release(name)
                        del missing[name]
                        yield outcome
                if len(missing) == before:
                    time.sleep(min(POLL_S, self.placement.claim_timeout_s / 4))
