"""Inpaint all blocks of all checkpoints, from masked images to stored features, and track the best cell so far."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from bench.executors.contract import Workload
from bench.grid.digest import digest
from bench.progress.reporter import Best, Place, Reporter
from bench.results.stored import errors_at
from bench.run.block_work import BlockWork
from bench.run.failure_policy import FailurePolicy, named_if_out_of_memory
from bench.run.references import one_shot_cells, painted_rows
from bench.run.work import BlockReport, Work
from bench.store.canvases import Canvas, canvases_of_cell, unique_canvases
from maskgit.errors import MaskgitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.executors.contract import Executor
    from bench.features.registry import Extractor
    from bench.grid.plan import Plan, Trajectory
    from bench.metrics.registry import Metric
    from bench.progress.tally import Tally
    from bench.run.blocks import Block
    from bench.run.clock import Clock
    from bench.run.job import Job
    from bench.run.worker import WorkerSetup
    from bench.store.records import Record
    from bench.store.store import Store


@dataclass(frozen=True, eq=False)
class Services:
    """What a process needs, besides a model, to do blocks."""

    extractors: list[Extractor]
    store: Store
    clock: Clock
    progress: Reporter | Tally


@dataclass(frozen=True, eq=False)
class RunContext(Services):
    """Data and services that the checkpoints of a run share."""

    progress: Reporter
    blocks: list[Block]
    execute: Executor
    setup: Callable[[], WorkerSetup]
    own_metrics: tuple[Metric, ...] = ()

    @property
    def n_images(self) -> int:
        """Test images."""
        return sum(len(block.image_ids) for block in self.blocks)


@dataclass(frozen=True, eq=False)
class BlockTask:
    """One block of one checkpoint: the unit of work that an executor hands out; it can be pickled.

    Attributes:
        checkpoint: Name of the checkpoint.
        block: The images.
        number: Number of the block, from 1.
        blocks: Number of blocks.
        parts: Stored work on the block, by path in the store, for a process that does not see the store.
    """

    checkpoint: str
    block: Block
    number: int
    blocks: int
    parts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique name within a run, also used for files."""
        return f"{digest(self.checkpoint)[:8]}-{self.number:06d}"

    @property
    def place(self) -> Place:
        """The position of the task in a run."""
        return Place("inpaint", self.checkpoint, block=self.number, blocks=self.blocks)


@dataclass(frozen=True)
class Elsewhere:
    """The report of another process on a block.

    Attributes:
        tally: Progress and warnings.
        seconds: Seconds of every stage.
        parts: Files for the store, by path in it, if that process does not see the store.
    """

    tally: Tally
    seconds: Mapping[str, float]
    parts: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class BlockOutcome:
    """Results of a finished block, in addition to its stored work.

    Attributes:
        checkpoint: Name of the checkpoint.
        images: Number of its test images.
        passes: Images that passed through the transformer now; stored steps do not count.
        unique_canvases: Number of distinct canvases of the cells.
        psnr_db: Sum over the images of the PSNR in the hole, (cells,) float64 in the order of the checkpoint's plan.
        place: The position of the block in the run.
        elsewhere: The report of the other process that did the block, if one did.
    """

    checkpoint: str
    images: int
    passes: int
    unique_canvases: int
    psnr_db: np.ndarray
    place: Place
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True)
class BlockFailure:
    """A block that cannot be done, for a reason that a user can remedy."""

    checkpoint: str
    error: MaskgitError


@dataclass
class RunCounts:
    """Work counts of one checkpoint in a run."""

    unique_canvases: int = 0
    passes: int = 0

    def add(self, outcome: BlockOutcome) -> None:
        """Count a finished block."""
        self.unique_canvases += outcome.unique_canvases
        self.passes += outcome.passes


@dataclass
class RunningBest:
    """Ranking of a checkpoint's cells over the finished blocks, by mean PSNR in the hole in dB.

    Unlike a Fréchet distance, it does not need all images. It shows whether a run works, not which cell is best.
    """

    plan: Plan
    sums: np.ndarray | float = 0.0
    images: int = 0

    def add(self, outcome: BlockOutcome) -> None:
        """Count a finished block."""
        self.sums = self.sums + outcome.psnr_db
        self.images += outcome.images

    def best(self) -> Best:
        """The cell with the highest mean PSNR."""
        row = int(np.argmax(self.sums))
        return Best(
            self.plan.cells[row].cell_id, "psnr_hole_db", float(np.ravel(self.sums)[row]) / self.images, self.images
        )


def inpaint(
    jobs: Mapping[str, Job], works: Mapping[str, Work], context: RunContext, policy: FailurePolicy
) -> dict[str, RunCounts]:
    """Decode, render and embed every block of every checkpoint, one checkpoint after another.

    Args:
        jobs: The checkpoints by name.
        works: Their work, by name.
        context: Data and services of the run.
        policy: Decides whether a checkpoint that fails is skipped.

    Returns:
        Work counts by checkpoint, without those that failed.

    Raises:
        MaskgitError: A block failed, and the policy does not skip its checkpoint.
    """
    progress, blocks = context.progress, context.blocks
    counts = {name: RunCounts() for name in jobs}
    running_best = {name: RunningBest(job.plan) for name, job in jobs.items()}
    left = {name: works[name].per_image * context.n_images for name in jobs}

    def here(task: BlockTask) -> BlockOutcome | BlockFailure:
        if task.checkpoint in policy.failures:
            return BlockFailure(task.checkpoint, policy.failures[task.checkpoint])
        return attempt(jobs[task.checkpoint], works[task.checkpoint], task, context)

    def done_elsewhere(task: BlockTask) -> None:
        work = works[task.checkpoint].per_image * len(task.block.image_ids)
        left[task.checkpoint] = left.get(task.checkpoint, 0) - work
        progress.at(task.place)
        progress.advance(work, found=True)

    def packed(task: BlockTask) -> BlockTask:
        keys = BlockWork(jobs[task.checkpoint], task.block, context.store).keys(context.extractors)
        return replace(task, parts=context.store.parts(keys))

    tasks = (
        BlockTask(name, block, number, len(blocks))
        for name in jobs
        for number, block in enumerate(blocks, 1)
        if name not in policy.failures
    )
    workload = Workload(
        here=here,
        setup=context.setup,
        packed=packed,
        done_elsewhere=done_elsewhere,
        name=lambda task: task.name,
        warn=progress.warn,
    )
    with closing(context.execute(tasks, workload)) as outcomes:
        for outcome in outcomes:
            name = outcome.checkpoint
            if name in policy.failures:  # the outcomes of other blocks may still arrive
                continue
            if isinstance(outcome, BlockFailure):
                with policy.checkpoint(name):
                    raise outcome.error
                left.pop(name, None)
                progress.forgo(progress.left - sum(left.values()))
            else:
                left[name] -= works[name].per_image * outcome.images
                _accept(outcome, context)
                counts[name].add(outcome)
                running_best[name].add(outcome)
                progress.best(running_best[name].best())
    return {name: count for name, count in counts.items() if name not in policy.failures}


def _accept(outcome: BlockOutcome, context: RunContext) -> None:
    """Count the progress and the time of a block that another process did, and store the results that it sent."""
    if outcome.elsewhere is None:
        return
    for path, content in outcome.elsewhere.parts.items():
        context.store.adopt(path, content)
    tally = outcome.elsewhere.tally
    for message in tally.warnings:
        context.progress.warn(message)
    context.progress.at(outcome.place)
    context.progress.advance(tally.done - tally.found)
    context.progress.advance(tally.found, found=True)
    context.clock.add(outcome.elsewhere.seconds)


def attempt(job: Job, work: Work, task: BlockTask, services: Services) -> BlockOutcome | BlockFailure:
    """Do a block; an error that a user can remedy is an outcome."""
    try:
        with named_if_out_of_memory(task.checkpoint):
            return inpaint_block(job, work, task, services)
    except MaskgitError as error:
        return BlockFailure(task.checkpoint, error)


def inpaint_block(job: Job, work: Work, task: BlockTask, services: Services) -> BlockOutcome:
    """Decode one block, then render and embed its distinct canvases and those of the reference rows, and its originals."""
    block = task.block
    block_work, image_ids = BlockWork(job, block, services.store), block.image_ids
    report = BlockReport(services.progress, work, task.place, len(image_ids))
    with services.clock.measure("embed"):
        _embed_references(block_work, services.extractors)
    with services.clock.measure("decode"):
        records, passes = block_work.decode(report)
    with services.clock.measure("render and embed"):
        canvases = unique_canvases(job.plan.cells, records, image_ids)
        block_work.embed(canvases | _reference_canvases(block_work, records), services.extractors, report)
    report.end()
    psnr_db = _psnr_db(job, block, records, services.store)
    return BlockOutcome(task.checkpoint, len(image_ids), passes, len(canvases), psnr_db, task.place)


def _embed_references(work: BlockWork, extractors: list[Extractor]) -> None:
    """Store the features of the originals, and of the rows without a model, which are the same for every checkpoint."""
    for extractor in extractors:
        work.truth_features(extractor)
        for name in painted_rows(work.block):
            work.painted(name, extractor)


def _reference_canvases(work: BlockWork, records: Mapping[Trajectory, Record]) -> dict[Canvas, np.ndarray]:
    """The canvases of one-shot decoding and of the rows that need the ground truth, with their tokens."""
    canvases = unique_canvases(one_shot_cells(work.job.plan), records, work.block.image_ids)
    for tokens in work.truth_canvases().values():
        canvases |= tokens
    return canvases


def _psnr_db(job: Job, block: Block, records: Mapping[Trajectory, Record], store: Store) -> np.ndarray:
    """Sum over a block's images of the PSNR in the hole, (cells,) in the order of the plan."""
    canvases = {cell: [canvases_of_cell(cell, records[cell.trajectory], block.image_ids)] for cell in job.plan.cells}
    errors = errors_at(job.stored([block], store), canvases)
    return np.array([errors[cell]["psnr_hole_db"].sum(dtype=np.float64) for cell in job.plan.cells])
