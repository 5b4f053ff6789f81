"""A worker: another process that does blocks of a run, and what it needs for that."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench.features.registry import load as load_extractor
from bench.progress.tally import Tally
from bench.run import environment
from bench.run.block_work import BlockWork
from bench.run.clock import Clock
from bench.run.inpaint import BlockFailure, BlockOutcome, BlockTask, Elsewhere, Services, attempt
from bench.run.job import Job
from bench.run.runtime import Runtime
from bench.run.work import Work, work_of
from bench.store.store import Store
from maskgit.checkpoints.locate import is_undeclared
from maskgit.checkpoints.native import load_model
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.features.sources import Source
    from bench.grid.plan import Plan
    from bench.run.inputs import Inputs
    from bench.store.keys import Numerics
    from maskgit.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class WorkerJob:
    """A checkpoint without its weights, the fingerprint that these must have, its part of the plan, and its work."""

    checkpoint: Checkpoint
    fingerprint: str
    plan: Plan
    work: Work


@dataclass(frozen=True)
class WorkerSetup:
    """Everything that another process needs to do blocks of a run. The images of a block come with its task.

    Attributes:
        device: Device of the networks.
        numerics: Everything that may change the last bit of a network's output.
        sources: The extractors.
        jobs: The checkpoints by name.
        store: The folder of stored work.
        probe: Name of a file in it; a process that does not see the file does not see the store.
        folder: The working directory of the run, from which relative paths start.
        path: `sys.path` of the run, in which the user's own modules are found.
    """

    device: str
    numerics: Numerics
    sources: tuple[Source, ...]
    jobs: Mapping[str, WorkerJob]
    store: Path
    probe: str
    folder: Path
    path: tuple[str, ...]

    def open(self) -> Worker:
        """Load the extractors; a checkpoint is loaded when its first block comes.

        Raises:
            InputError: This process has another version of torch, or lacks the weights of an extractor.
        """
        sys.path[:] = [*self.path, *(entry for entry in sys.path if entry not in self.path)]
        if self.folder.is_dir():
            os.chdir(self.folder)
        return Worker(self)


def worker_setup(
    inputs: Inputs, jobs: Sequence[Job], sources: Sequence[Source], store: Store, probe: str
) -> WorkerSetup:
    """What another process needs to do blocks of a run.

    Raises:
        InputError: A checkpoint cannot be recognised in another process.
    """
    require_recognisable(jobs)
    runtime, checkpoints = jobs[0].runtime, inputs.checkpoints
    return WorkerSetup(
        device=runtime.device.partition(":")[0],  # another process may number its devices differently
        numerics=runtime.numerics,
        sources=tuple(sources),
        jobs={
            job.name: WorkerJob(
                checkpoints[job.name], job.model.fingerprint, job.plan, work_of(job.plan, checkpoints[job.name])
            )
            for job in jobs
        },
        store=store.root.absolute(),
        probe=probe,
        folder=Path.cwd(),
        path=tuple(str(Path(entry).absolute()) for entry in sys.path),
    )


def require_recognisable(jobs: Sequence[Job]) -> None:
    """Refuse a checkpoint that other processes cannot recognise.

    Raises:
        InputError: A checkpoint declares no fingerprint.
    """
    for job in jobs:
        if is_undeclared(job.model.fingerprint):
            raise InputError(
                f"{job.name}: declares no fingerprint, so other processes cannot share its work; add FINGERPRINT to its "
                'module, or set execution.executor = "local"'
            )


class Worker:
    """Does blocks, and keeps the checkpoint of the last one loaded.

    Attributes:
        isolated: True if the store of the run is not seen here: then work comes and goes with tasks and outcomes.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        numerics = setup.numerics
        if (version := environment.package_version("torch")) != numerics.torch:
            raise InputError(
                f"{socket.gethostname()}: has torch {version}, the run torch {numerics.torch}; install the same version"
            )
        environment.apply(numerics)
        self.isolated = not (setup.store / setup.probe).is_file()
        self._setup = setup
        self._extractors = [load_extractor(source, setup.device) for source in setup.sources]
        self._job: Job | None = None

    def __call__(self, task: BlockTask) -> BlockOutcome | BlockFailure:
        """Do a block."""
        try:
            job = self._opened(task.checkpoint)
        except InputError as error:
            return BlockFailure(task.checkpoint, error)
        if not self.isolated:
            return self._do(job, task, Store(self._setup.store))
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder))
            for path, content in task.parts.items():
                store.adopt(path, content)
            return self._do(job, task, store)

    def _do(self, job: Job, task: BlockTask, store: Store) -> BlockOutcome | BlockFailure:
        tally, clock = Tally(), Clock()
        store.on_damage = tally.warn
        with torch.inference_mode():
            work = self._setup.jobs[task.checkpoint].work
            outcome = attempt(job, work, task, Services(self._extractors, store, clock, tally))
        if isinstance(outcome, BlockFailure):
            return outcome
        keys = BlockWork(job, task.block, store).keys(self._extractors) if self.isolated else ()
        parts = {path: content for path, content in store.parts(keys).items() if path not in task.parts}
        return replace(outcome, elsewhere=Elsewhere(tally, clock.seconds, parts))

    def _opened(self, name: str) -> Job:
        """The job of a checkpoint.

        Raises:
            InputError: The checkpoint cannot be loaded here, or has other weights here.
        """
        if self._job is None or self._job.name != name:
            self._job = None  # frees its memory before the next one is loaded
            setup, expected = self._setup, self._setup.jobs[name]
            precision = setup.numerics.precision
            model = load_model(expected.checkpoint, setup.device, precision=precision, fingerprint=expected.fingerprint)
            if model.fingerprint != expected.fingerprint:
                raise InputError(
                    f"{name}: the weights or code on {socket.gethostname()} are not those of the run; make them the same"
                )
            self._job = Job(name, model, expected.plan, Runtime(setup.device, setup.numerics))
        return self._job
