"""The executor ray: a pool of Ray actors, one per GPU or per slice of CPU cores, on one machine or many.

An actor that is lost, with its process or its node, is replaced, and its task is given to another actor, up to `TRIES`
times. Ray is imported only when a run uses it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import Counter, deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from maskgit.errors import InputError
from maskgit.extras import optional

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from bench.executors.contract import Hand, Placement, Setup, Workload

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

TRIES = 3
"""Actors that a task may lose before the run gives up; the same number per worker while none of them has started."""
PATIENCE_S = 30.0
"""Seconds of waiting for workers to start after which the user is told."""
POLL_S = 1.0
CONNECT_S = 10.0
ENVIRONMENT = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # `uv run` would otherwise build its environment again for every actor
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class RayExecutor:
    """Does tasks on the cluster that RAY_ADDRESS names, or on one that it starts on this machine."""

    placement: Placement

    def __call__(self, tasks: Iterable[Task], workload: Workload[Task, Outcome]) -> Generator[Outcome]:
        """Do the tasks.

        Raises:
            InputError: Ray is missing or cannot be reached, or workers are lost again and again.
        """
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        ray = optional("ray", "the executor ray")
        with _connected(ray, self.placement), closing(_Pool(ray, self.placement, workload)) as pool:
            yield from pool.outcomes(tasks)


class Actor(Generic[Task, Outcome]):
    """A worker's process; the errors of its work are returned, so that they arrive unchanged."""

    def __init__(self, setup: Setup[Task, Outcome]) -> None:
        self._setup = setup
        self._hand: Hand[Task, Outcome] | None = None

    def open(self) -> tuple[bool, bool | Exception]:
        """Load what tasks need: True and whether the store is out of sight, or False and the error."""
        return _settled(self._open)

    def do(self, task: Task) -> tuple[bool, Outcome | Exception]:
        """Do a task: True and its outcome, or False and its error."""
        assert self._hand is not None
        hand = self._hand
        return _settled(lambda: hand(task))

    def _open(self) -> bool:
        self._hand = self._setup.open()
        return self._hand.isolated


def _settled(work: Any) -> tuple[bool, Any]:
    try:
        return True, work()
    except Exception as error:
        error.add_note(f"in a Ray worker:\n{traceback.format_exc()}")
        return False, error


@contextmanager
def _connected(ray: Any, placement: Placement) -> Iterator[None]:
    """Ray, connected for a `with` block unless this process was connected before."""
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"address": address} if address else {"address": "local", **_local_size(placement)}
    try:
        if address:
            _require_reachable(address)
        with _handlers_kept():
            ray.init(**options, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        where = f"RAY_ADDRESS={address}" if address else "Ray on this machine"
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"{where}: no cluster ({first}); start one with `ray start --head`, or unset RAY_ADDRESS"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _require_reachable(address: str) -> None:
    """Try an address of the form host:port, for which Ray would wait for minutes.

    Raises:
        OSError: Nobody answers there.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), CONNECT_S).close()


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces with its own when it starts."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler or signal.SIG_DFL)


def _local_size(placement: Placement) -> dict[str, Any]:
    """Size of a cluster on this machine: its cores, or as many as the given number of workers is to have."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    needed = (placement.workers or 1) * _resources(placement)["num_cpus"]
    return {"num_cpus": max(cores, needed), "include_dashboard": False}


def _resources(placement: Placement) -> dict[str, int]:
    """Resources of one worker. On a GPU, the CPU threads hardly work."""
    return {"num_cpus": 1, "num_gpus": 1} if placement.gpu else {"num_cpus": placement.threads}


def _environment(placement: Placement) -> dict[str, str]:
    """Environment of a worker: the user's own modules as in this process, and the threads, which Ray would set to 1."""
    own = [str(Path(entry).absolute()) for entry in sys.path if not _is_installed(entry)]
    return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(own), "OMP_NUM_THREADS": str(placement.threads)}


def _is_installed(entry: str) -> bool:
    """True for the folders and archives of the Python installation."""
    path = Path(entry).absolute()
    return any(path.is_relative_to(prefix) for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix})


@dataclass(eq=False)
class _Pool(Generic[Task, Outcome]):
    """The actors of a run: those that start, those that are idle, and those that are at work."""

    ray: Any
    placement: Placement
    workload: Workload[Task, Outcome]
    starting: dict[Any, Any] = field(default_factory=dict)  # actor by the promise that it is open
    idle: list[tuple[Any, bool]] = field(default_factory=list)  # actors, and True for those that do not see the store
    busy: dict[Any, tuple[Any, bool, Task]] = field(default_factory=dict)  # by the promise of the outcome
    returned: deque[Task] = field(default_factory=deque)  # tasks of lost actors
    losses: Counter[str] = field(default_factory=Counter)

    def outcomes(self, tasks: Iterable[Task]) -> Generator[Outcome]:
        """Start the actors and do the tasks."""
        rest, size = iter(tasks), self._size()
        setup = self.ray.put(self.workload.setup())
        waiting_since, told = time.monotonic(), False
        while True:
            self._hand_out(rest)
            if not self.busy and self.idle:
                return  # no tasks are left
            while len(self.starting) + len(self.idle) + len(self.busy) < size:
                self._start(setup)
            ready, _ = self.ray.wait([*self.busy, *self.starting], num_returns=1, timeout=POLL_S)
            for promise in ready:
                if promise in self.starting:
                    self._opened(promise, size)
                else:
                    yield from self._finished(promise)
            if not self.starting:
                waiting_since = time.monotonic()
            elif not told and time.monotonic() - waiting_since > PATIENCE_S:
                told = True
                self.workload.warn(self._waiting(size))

    def close(self) -> None:
        """Stop the actors."""
        for actor in (*self.starting.values(), *(entry[0] for entry in (*self.idle, *self.busy.values()))):
            self.ray.kill(actor)

    def _size(self) -> int:
        """Number of actors: as asked for, or as many as the cluster has room for.

        Raises:
            InputError: Workers need GPUs, and the cluster has none.
        """
        has = self.ray.cluster_resources()
        if self.placement.gpu and not has.get("GPU"):
            raise InputError(
                'the executor ray: the cluster has no GPU; set execution.device = "cpu", or add a node with one'
            )
        room = min(int(has.get(name, 0) // count) for name, count in self._needs().items())
        return self.placement.workers or max(1, room)

    def _needs(self) -> dict[str, int]:
        resources = _resources(self.placement)
        return {name: resources[key] for name, key in (("CPU", "num_cpus"), ("GPU", "num_gpus")) if key in resources}

    def _waiting(self, size: int) -> str:
        has, free = self.ray.cluster_resources(), self.ray.available_resources()
        needs = " and ".join(f"{count} {name}" for name, count in self._needs().items())
        there = ", ".join(f"{has.get(name, 0):g} {name}, {free.get(name, 0):g} of them free" for name in self._needs())
        return (
            f"still waiting for {len(self.starting)} of {size} Ray workers to start (each needs {needs}; the cluster has "
            f"{there}); if it has no room for them, lower --workers or execution.threads, or add nodes"
        )

    def _start(self, setup: Any) -> None:
        actor = (
            self.ray.remote(Actor)
            .options(**_resources(self.placement), runtime_env={"env_vars": _environment(self.placement)})
            .remote(setup)
        )
        self.starting[actor.open.remote()] = actor

    def _opened(self, promise: Any, size: int) -> None:
        """Take an actor that has started into the pool, or count its loss."""
        actor = self.starting.pop(promise)
        try:
            isolated = _unwrapped(self.ray.get(promise))
        except self.ray.exceptions.RayTaskError:  # what came back cannot be read: a defect
            raise
        except self.ray.exceptions.RayError as error:
            self._lost(actor, "", error, TRIES * size)
        else:
            self.losses[""] = 0
            self.idle.append((actor, isolated))

    def _hand_out(self, rest: Iterator[Task]) -> None:
        """Give a task to every idle actor, first those of lost actors."""
        nothing = object()
        while self.idle:
            task: Any = self.returned.popleft() if self.returned else next(rest, nothing)
            if task is nothing:
                return
            actor, isolated = self.idle.pop()
            promise = actor.do.remote(self.workload.packed(task) if isolated else task)
            self.busy[promise] = actor, isolated, task

    def _finished(self, promise: Any) -> Generator[Outcome]:
        """Yield the outcome of a task, or put it back if its actor is lost."""
        actor, isolated, task = self.busy.pop(promise)
        try:
            outcome = _unwrapped(self.ray.get(promise))
        except self.ray.exceptions.RayTaskError:
            raise
        except self.ray.exceptions.RayError as error:
            name = self.workload.name(task)
            self.workload.warn(f"a Ray worker is lost ({_first_line(error)}); its block is done again by another one")
            self._lost(actor, name, error, TRIES)
            self.returned.append(task)
        else:
            self.idle.append((actor, isolated))
            yield outcome

    def _lost(self, actor: Any, name: str, error: Exception, tries: int) -> None:
        """Forget an actor.

        Raises:
            InputError: It is the last that the task may lose.
        """
        self.ray.kill(actor)
        self.losses[name] += 1
        if self.losses[name] >= tries:
            what = (
                f"the block {name} has lost {tries} workers" if name else f"{tries} workers were lost when they started"
            )
            raise InputError(
                f"the executor ray: {what} ({_first_line(error)}); lower execution.tile, or give the nodes more memory"
            ) from error


def _unwrapped(answer: tuple[bool, Any]) -> Any:
    """The value of a settled call; its error is raised."""
    succeeded, value = answer
    if not succeeded:
        raise value
    return value


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
