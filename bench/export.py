"""Export: the images of one cell as PNG files, for any other tool; canvases come from the run's store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench import blocks as blocking
from bench import environment
from bench.blocks import Block
from bench.canvases import unique_canvases
from bench.decode import decode_block
from bench.folder import RunFolder
from bench.inputs import find_checkpoints, open_test_set
from bench.job import Job
from bench.plan import Cell, Plan, make_plan
from bench.render import render
from bench.spec import with_paths_from
from bench.store import Store, prepare_folder
from maskgit.checkpoints import load_model
from maskgit.errors import InputError


@dataclass(frozen=True)
class OpenCell:
    """A cell of a finished run with all that rendering it takes."""

    cell: Cell
    job: Job
    blocks: list[Block]
    store: Store


def open_cell(run: RunFolder, cell_id: str, device: str | None = None) -> OpenCell:
    """Find a cell of a run, its test set and its model.

    Raises:
        InputError: No such cell, or the run's inputs are no longer there.
    """
    spec = with_paths_from(run.spec, run.base)
    checkpoints = find_checkpoints(spec, run.base)
    cell = _find(make_plan(spec, tuple(checkpoints)), cell_id)
    where = environment.resolve_device(device or spec.execution.device)
    numerics = environment.configure(spec.execution, where)
    name = cell.trajectory.checkpoint
    model = load_model(checkpoints[name], where, tf32=spec.execution.precision == "tf32")
    job = Job(name, model, Plan((cell,)), numerics, spec.execution.tile, where)
    blocks = blocking.split(open_test_set(spec.data), spec.execution.block)
    return OpenCell(cell, job, blocks, Store(run.store))


def export_cell(run: RunFolder, cell_id: str, out: Path, device: str | None = None) -> int:
    """Write `image_000.png` … of a cell, numbered by image id.

    Returns:
        The number of images.

    Raises:
        InputError: No such cell, or the folder is not empty.
    """
    opened = open_cell(run, cell_id, device)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose a new folder")
    prepare_folder(out)
    job = opened.job
    for block in opened.blocks:
        records = decode_block(job.masked(block), job.key(block), job.plan.trajectories, opened.store)
        unique = unique_canvases((opened.cell,), records, block.image_ids)
        images = render(job.model, list(unique), list(unique.values()), block, job.tile, job.device)
        for canvas, image in zip(unique, images, strict=True):
            pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
            Image.fromarray(pixels).save(out / f"image_{canvas.image_id:03d}.png")
    return sum(len(block.image_ids) for block in opened.blocks)


def _find(plan: Plan, cell_id: str) -> Cell:
    for cell in plan.cells:
        if cell.cell_id == cell_id:
            return cell
    known = ", ".join(cell.cell_id for cell in plan.cells[:5])
    raise InputError(f"--cell {cell_id}: no such cell; they are in cells.parquet, for example {known}")
