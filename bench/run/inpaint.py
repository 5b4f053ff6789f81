"""Inpaint: all blocks of one checkpoint, from masked images to stored features, and the best cell so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.features.registry import Extractor
from bench.grid.plan import Cell, Flops, Trajectory, flops
from bench.progress.reporter import Best, Place, Reporter
from bench.results.stored import errors_at
from bench.run.blocks import Block
from bench.run.clock import Clock
from bench.run.decode import decode_block
from bench.run.embed import embed_block
from bench.run.job import Job
from bench.run.references import floor_canvases, one_shot_cells
from bench.run.truth import truth_nll_nats
from bench.store.canvases import canvases_of_cell, unique_canvases
from bench.store.records import Record
from bench.store.store import Store
from maskgit.checkpoints.locate import Checkpoint


@dataclass(frozen=True, eq=False)
class RunContext:
    """What the checkpoints of a run share."""

    blocks: list[Block]
    extractors: list[Extractor]
    store: Store
    clock: Clock
    progress: Reporter

    @property
    def n_images(self) -> int:
        """Test images."""
        return sum(len(block.image_ids) for block in self.blocks)


@dataclass
class RunCounts:
    """What a checkpoint's part of a run took."""

    unique_canvases: int = 0
    passes: int = 0
    """Images that went through the transformer now; what was stored did not."""

    def count_pass(self, images: int) -> None:
        """One more pass of so many images."""
        self.passes += images


def inpaint(job: Job, cost: Flops, context: RunContext) -> RunCounts:
    """Decode, render and embed every block of a checkpoint."""
    progress, standing, tally = context.progress, RunningBest(), RunCounts()
    for number, block in enumerate(context.blocks, 1):
        place = Place("inpaint", job.name, block=number, blocks=len(context.blocks))
        end = progress.done + work_an_image(job, cost) * len(block.image_ids)
        records = _decode(job, block, cost, context, place, tally)
        progress.at(place)
        tally.unique_canvases += _embed(job, block, records, cost, context)
        progress.reach(end)
        standing.add(job, block, records, context.store)
        progress.best(standing.best())
    return tally


def relative_cost(checkpoint: Checkpoint) -> Flops:
    """Relative cost of a model's parts, for the progress; unknown sizes count as equal."""
    if checkpoint.tokenizer is None or checkpoint.transformer is None:
        return Flops(1, 1, 1)
    cost = flops(checkpoint.tokenizer, checkpoint.transformer)
    return Flops(cost.encode, cost.step, 2 * cost.render)  # small convolutions run slower than matrix products


def work_an_image(job: Job, cost: Flops) -> int:
    """Work of a checkpoint on one image, as its parts are reported; never less than that."""
    plan = job.plan
    canvases = len(plan.composes) * (plan.canvases + 2)  # the reference rows' as well
    return cost.encode + sum(_wanted(job).values()) * cost.step + canvases * cost.render


@dataclass
class RunningBest:
    """How the cells of a checkpoint stand over the blocks that are finished, by the mean PSNR in the hole in dB.

    A Fréchet distance takes all images, this does not; it tells a broken run from a sound one, not the winner.
    """

    sums: dict[Cell, float] = field(default_factory=dict)
    images: int = 0

    def add(self, job: Job, block: Block, records: Mapping[Trajectory, Record], store: Store) -> None:
        """Count a finished block."""
        canvases = {c: [canvases_of_cell(c, records[c.trajectory], block.image_ids)] for c in job.plan.cells}
        for cell, errors in errors_at(job.stored([block], store), canvases).items():
            self.sums[cell] = self.sums.get(cell, 0.0) + float(errors["psnr_hole_db"].sum(dtype=np.float64))
        self.images += len(block.image_ids)

    def best(self) -> Best:
        """The cell that is ahead."""
        cell = max(self.sums, key=lambda cell: self.sums[cell])
        return Best(cell.cell_id, "psnr_hole_db", self.sums[cell] / self.images, self.images)


def _wanted(job: Job) -> dict[Trajectory, int]:
    """The trajectories to decode and the last step of each, those of the reference rows among them."""
    one_shot = dict.fromkeys((cell.trajectory for cell in one_shot_cells(job.plan)), 1)
    return {**one_shot, **job.plan.trajectories}


def _decode(
    job: Job, block: Block, cost: Flops, context: RunContext, place: Place, tally: RunCounts
) -> dict[Trajectory, Record]:
    wanted, masked = _wanted(job), job.masked(block, tally.count_pass)
    context.progress.at(place)
    context.progress.advance(cost.encode * len(block.image_ids))
    with context.clock.measure("decode"):
        records = decode_block(
            masked,
            job.key(block),
            wanted,
            context.store,
            on_trajectory=lambda number: context.progress.at(place.with_trajectory(number, len(wanted))),
            on_passes=lambda steps, found: context.progress.advance(steps * cost.step, found),
        )
        truth_nll_nats(job, block, context.store, masked)
    return records


def _embed(job: Job, block: Block, records: dict[Trajectory, Record], cost: Flops, context: RunContext) -> int:
    """Render and embed the distinct canvases of a block and its reference rows; returns the number of the cells' own."""
    unique = unique_canvases(job.plan.cells, records, block.image_ids)
    n_unique = len(unique)
    unique.update(unique_canvases(one_shot_cells(job.plan), records, block.image_ids))
    for floor in floor_canvases(job, block, context.store).values():
        unique.update(floor)
    with context.clock.measure("render and embed"):
        embed_block(
            job.model,
            context.extractors,
            unique,
            block,
            job.key(block),
            context.store,
            job.tile,
            job.device,
            on_images=lambda images, found: context.progress.advance(images * cost.render, found),
        )
    return n_unique
