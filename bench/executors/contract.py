"""The contract between a run and its executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from pathlib import Path

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")
OtherTask = TypeVar("OtherTask", contravariant=True)
OtherOutcome = TypeVar("OtherOutcome", covariant=True)


class Hand(Protocol[OtherTask, OtherOutcome]):
    """A process that does tasks, once it has loaded what they need.

    Attributes:
        isolated: True if it does not see the store: then tasks bring stored work with them, and outcomes their results.
    """

    isolated: bool

    def __call__(self, task: OtherTask) -> OtherOutcome:
        """Do a task."""
        ...


class Setup(Protocol[OtherTask, OtherOutcome]):
    """Everything that another process needs to do tasks: small, and can be pickled."""

    def open(self) -> Hand[OtherTask, OtherOutcome]:
        """Load what the tasks need; called once per process."""
        ...


@dataclass(frozen=True)
class Workload(Generic[Task, Outcome]):
    """The work of a run, as an executor sees it.

    Attributes:
        here: Does a task in this process.
        setup: Makes what another process needs to do tasks.
        packed: A task with the stored work that an isolated process needs.
        name: Name of a task: a file name, unique and the same in every process.
        done_elsewhere: Called with a task that another process of the same run has done.
        warn: Shows a line to the user.
    """

    here: Callable[[Task], Outcome]
    setup: Callable[[], Setup[Task, Outcome]]
    packed: Callable[[Task], Task] = lambda task: task
    name: Callable[[Task], str] = str
    done_elsewhere: Callable[[Task], None] = lambda task: None
    warn: Callable[[str], None] = lambda text: None


class Executor(Protocol):
    """Sees to it that every task is done at least once, in any order, and yields each outcome once, as soon as it is ready.

    Tasks are independent and commit their results to the store before they return. So doing a task twice, or in another
    process, changes nothing. Tasks are taken from the iterable one by one, as workers become free. The first error of a
    task ends the work and is raised unchanged; closing the iterator ends the work as well. Tasks that
    another process of the same run has done yield no outcome.
    """

    def __call__(self, tasks: Iterable[Task], workload: Workload[Task, Outcome]) -> Generator[Outcome]:
        """Do the tasks."""
        ...


@dataclass(frozen=True)
class Placement:
    """Where the tasks of a run are done, for executors that have a choice.

    Attributes:
        workers: Number of workers; None for as many as there is room for.
        threads: CPU threads of a worker.
        gpu: True if a worker needs a GPU.
        claims: Folder in which processes that share a run claim its tasks.
        claim_timeout_s: Seconds after which a claim without a sign of life expires.
    """

    workers: int | None
    threads: int
    gpu: bool
    claims: Path
    claim_timeout_s: float
