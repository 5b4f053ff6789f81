"""Inpaint all blocks of one checkpoint, from masked images to stored features, and track the best cell so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.progress.reporter import Best, Place, Reporter
from bench.results.stored import errors_at
from bench.run.block_work import BlockWork
from bench.run.references import one_shot_cells
from bench.run.work import BlockReport, Work
from bench.store.canvases import Canvas, canvases_of_cell, unique_canvases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.executors.contract import Executor
    from bench.features.registry import Extractor
    from bench.grid.plan import Cell, Trajectory
    from bench.run.blocks import Block
    from bench.run.clock import Clock
    from bench.run.job import Job
    from bench.store.records import Record
    from bench.store.store import Store


@dataclass(frozen=True, eq=False)
class RunContext:
    """Data and services that the checkpoints of a run share."""

    blocks: list[Block]
    extractors: list[Extractor]
    store: Store
    clock: Clock
    progress: Reporter
    execute: Executor

    @property
    def n_images(self) -> int:
        """Test images."""
        return sum(len(block.image_ids) for block in self.blocks)


@dataclass(frozen=True)
class BlockTask:
    """One block of one checkpoint: the unit of work that an executor hands out."""

    job: Job
    work: Work
    block: Block
    number: int  # from 1


@dataclass(frozen=True)
class BlockOutcome:
    """Results of a finished block, in addition to its stored work.

    Attributes:
        images: Number of its test images.
        passes: Images that passed through the transformer now; stored steps do not count.
        unique_canvases: Number of distinct canvases of the cells.
        psnr_db: Sum over the images of the PSNR in the hole, by cell.
    """

    images: int
    passes: int
    unique_canvases: int
    psnr_db: Mapping[Cell, float]


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

    sums: dict[Cell, float] = field(default_factory=dict)
    images: int = 0

    def add(self, outcome: BlockOutcome) -> None:
        """Count a finished block."""
        for cell, psnr_db in outcome.psnr_db.items():
            self.sums[cell] = self.sums.get(cell, 0.0) + psnr_db
        self.images += outcome.images

    def best(self) -> Best:
        """The cell with the highest mean PSNR."""
        cell = max(self.sums, key=lambda cell: self.sums[cell])
        return Best(cell.cell_id, "psnr_hole_db", self.sums[cell] / self.images, self.images)


def inpaint(job: Job, work: Work, context: RunContext) -> RunCounts:
    """Decode, render and embed every block of a checkpoint."""
    counts, running_best = RunCounts(), RunningBest()
    tasks = [BlockTask(job, work, block, number) for number, block in enumerate(context.blocks, 1)]
    for outcome in context.execute(tasks, lambda task: inpaint_block(task, context)):
        counts.add(outcome)
        running_best.add(outcome)
        context.progress.best(running_best.best())
    return counts


def inpaint_block(task: BlockTask, context: RunContext) -> BlockOutcome:
    """Decode one block, then render and embed its distinct canvases and those of the reference rows."""
    job, block = task.job, task.block
    work, image_ids = BlockWork(job, block, context.store), block.image_ids
    place = Place("inpaint", job.name, block=task.number, blocks=len(context.blocks))
    report = BlockReport(context.progress, task.work, place, len(image_ids))
    with context.clock.measure("decode"):
        records, passes = work.decode(report)
    with context.clock.measure("render and embed"):
        canvases = unique_canvases(job.plan.cells, records, image_ids)
        work.embed(canvases | _reference_canvases(work, records), context.extractors, report)
    report.end()
    psnr_db = _psnr_db(job, block, records, context.store)
    return BlockOutcome(len(image_ids), passes, len(canvases), psnr_db)


def _reference_canvases(work: BlockWork, records: Mapping[Trajectory, Record]) -> dict[Canvas, np.ndarray]:
    """The canvases of one-shot decoding and of the ground-truth tokens, with their tokens."""
    canvases = unique_canvases(one_shot_cells(work.job.plan), records, work.block.image_ids)
    for floor in work.floor_canvases().values():
        canvases |= floor
    return canvases


def _psnr_db(job: Job, block: Block, records: Mapping[Trajectory, Record], store: Store) -> dict[Cell, float]:
    """Sum over a block's images of the PSNR in the hole, by cell."""
    canvases = {cell: [canvases_of_cell(cell, records[cell.trajectory], block.image_ids)] for cell in job.plan.cells}
    errors = errors_at(job.stored([block], store), canvases)
    return {cell: float(values["psnr_hole_db"].sum(dtype=np.float64)) for cell, values in errors.items()}
