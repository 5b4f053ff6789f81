"""Throughput: unit costs of encoding, stepping and decoding, and cells measured end to end to check their sum.

It follows pyperf's rules: warm up, repeat, synchronise the device, report the median and the spread.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.run.blocks import Block
from bench.run.decode import MaskedBlock, run_trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.grid.plan import Cell
    from bench.run.job import Job

REFERENCE_WARM_UP, REFERENCE_REPEATS = 3, 9


@dataclass(frozen=True)
class Cost:
    """Time of one unit of work in milliseconds per image: median and quartiles over the repeats."""

    median_ms_per_image: float
    p25: float
    p75: float
    repeats: int


@dataclass(frozen=True)
class UnitCosts:
    """Cost of a model's parts on a tile: encoding a masked image, one decoding step, decoding a canvas to pixels."""

    encode: Cost
    step: Cost
    decode: Cost

    def ms_per_image(self, sweet_spot: int) -> float:
        """Cost of a cell in milliseconds per image, from masked image to 8-bit output."""
        step = self.step.median_ms_per_image
        return self.encode.median_ms_per_image + sweet_spot * step + self.decode.median_ms_per_image


@dataclass(frozen=True)
class Check:
    """The derived speed of a cell and its speed measured end to end."""

    cell: Cell
    derived_images_per_s: float
    measured_images_per_s: float

    @property
    def relative_error(self) -> float:
        """(derived − measured) / measured."""
        return self.derived_images_per_s / self.measured_images_per_s - 1


def measure_units(job: Job, block: Block, warm_up: int, repeats: int) -> UnitCosts:
    """Measure a job's unit costs on the first tile of a block."""
    tile = _first_tile(block, job.runtime.tile)
    masked = MaskedBlock(job.model, tile, job.runtime)
    trajectory = job.plan.cells[0].trajectory
    canvas = masked.tokens  # encoded here, outside the clock

    def cost(work: Callable[[], object]) -> Cost:
        return measure(work, job.runtime.device, warm_up, repeats, len(tile.image_ids))

    return UnitCosts(
        encode=cost(lambda: MaskedBlock(job.model, tile, job.runtime).tokens),
        step=cost(lambda: run_trajectory(masked, trajectory, None, until=1)),
        decode=cost(lambda: job.model.render(canvas).cpu()),
    )


def measure_cells(job: Job, block: Block, units: UnitCosts, count: int, repeats: int) -> list[Check]:
    """Measure up to `count` cells end to end; their numbers of steps are evenly spread, from the fewest to the most."""
    tile = _first_tile(block, job.runtime.tile)
    checks = []
    for cell in _spread_over(job.plan.cells, count):

        def end_to_end(cell: Cell = cell) -> None:
            masked = MaskedBlock(job.model, tile, job.runtime)
            record = run_trajectory(masked, cell.trajectory, None, until=cell.sweet_spot)
            canvas = job.runtime.tensor(record.canvases[-1].astype(np.int64))
            job.model.render(canvas).cpu()

        cost = measure(end_to_end, job.runtime.device, 1, repeats, len(tile.image_ids))
        checks.append(Check(cell, 1000 / units.ms_per_image(cell.sweet_spot), 1000 / cost.median_ms_per_image))
    return checks


def measure(work: Callable[[], object], device: str, warm_up: int, repeats: int, images: int) -> Cost:
    """Time a piece of work that processes `images` images."""
    samples = []
    for repeat in range(warm_up + repeats):
        _synchronise(device)
        start = time.perf_counter()
        work()
        _synchronise(device)
        if repeat >= warm_up:
            samples.append((time.perf_counter() - start) * 1000 / images)
    p25, median, p75 = np.percentile(samples, [25, 50, 75])
    return Cost(float(median), float(p25), float(p75), repeats)


def reference_ms(device: str) -> float:
    """Time of the reference workload in milliseconds: the speed of this machine, independent of the model.

    The workload is float32 convolutions and matrix products of the sizes of a small model. The ratio of the time per
    image to this time can be compared between machines.
    """
    generator = torch.Generator().manual_seed(0)
    pixels, kernel, tokens, wide, narrow = (
        torch.randn(shape, generator=generator).to(device)
        for shape in ((8, 64, 32, 32), (64, 64, 3, 3), (2048, 128), (128, 512), (512, 128))
    )

    def work() -> None:
        x, t = pixels, tokens
        for _ in range(4):
            x = torch.nn.functional.conv2d(x, kernel, padding=1).tanh()
            t = (t @ wide @ narrow).tanh()

    return measure(work, device, REFERENCE_WARM_UP, REFERENCE_REPEATS, images=1).median_ms_per_image


def peak_memory_mb(device: str) -> float:
    """Peak memory in MiB: of the device if it is a GPU, otherwise of this process."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _first_tile(block: Block, tile: int) -> Block:
    """A full tile of the first images of a block, repeated if the block is shorter."""
    rows = np.arange(tile) % len(block.image_ids)
    pixels = tuple(block.pixels[row] for row in rows)
    return Block(block.image_ids[rows], block.masked[rows], block.hole[rows], block.truth[rows], pixels)


def _spread_over(cells: Sequence[Cell], count: int) -> list[Cell]:
    """Cells evenly spread over the numbers of steps; composition costs nothing, so it is not varied."""
    distinct = {(cell.sweet_spot, cell.trajectory): cell for cell in cells}
    in_order = [distinct[key] for key in sorted(distinct)]
    positions = np.linspace(0, len(in_order) - 1, min(count, len(in_order))).round().astype(int)
    return [in_order[position] for position in positions]


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
