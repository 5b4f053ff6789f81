"""Export: the images of one cell as PNG files, for any other tool; canvases come from the run's store."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
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
from bench.plan import Cell, Plan
from bench.render import render
from bench.spec import with_paths_from
from bench.store import Store, prepare_folder
from bench.stored import cell_of
from maskgit.checkpoints import load_model
from maskgit.errors import InputError


def find_cell(run: RunFolder, cell_id: str) -> Cell:
    """A cell of a run, by its id.

    Raises:
        InputError: No such cell.
    """
    known = run.cells.cell_id.tolist()
    if cell_id not in known:
        near = difflib.get_close_matches(cell_id, known, n=3) or known[:3]
        raise InputError(
            f"--cell {cell_id}: no such cell; {run.path / 'cells.parquet'} names the {len(known)} of the run,"
            f" for example {', '.join(near)}"
        )
    return cell_of(run.cells.iloc[known.index(cell_id)])


def open_jobs(run: RunFolder, cells: Sequence[Cell], device: str | None = None) -> dict[str, Job]:
    """The models that cells of a run were decoded with, loaded, each with its cells, by the checkpoint's name.

    Raises:
        InputError: A checkpoint is no longer there, or the device is not.
    """
    spec = with_paths_from(run.spec, run.base)
    found, plan = find_checkpoints(spec, run.base), Plan(tuple(cells))
    if gone := [name for name in plan.checkpoints if name not in found]:
        raise InputError(f"model.checkpoint: {gone[0]} of the run has another name now: {', '.join(found)}; run again")
    where = environment.resolve_device(device or spec.execution.device)
    numerics = environment.configure(spec.execution, where)
    return {
        name: Job(
            name,
            load_model(found[name], where, tf32=spec.execution.precision == "tf32"),
            plan.of(name),
            numerics,
            spec.execution.tile,
            where,
        )
        for name in plan.checkpoints
    }


def open_blocks(run: RunFolder) -> list[Block]:
    """The blocks of a run's test set.

    Raises:
        InputError: The test set is no longer there.
    """
    spec = with_paths_from(run.spec, run.base)
    return blocking.split(open_test_set(spec.data), spec.execution.block)


def export_cell(run: RunFolder, cell_id: str, out: Path, device: str | None = None) -> int:
    """Write `image_000.png` … of a cell, numbered by image id.

    Returns:
        The number of images.

    Raises:
        InputError: No such cell, the run's inputs are no longer there, or the folder is not empty.
    """
    cell = find_cell(run, cell_id)
    job, blocks, store = open_jobs(run, [cell], device)[cell.trajectory.checkpoint], open_blocks(run), Store(run.store)
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose a new folder")
    prepare_folder(out)
    for block in blocks:
        records = decode_block(job.masked(block), job.key(block), job.plan.trajectories, store)
        unique = unique_canvases((cell,), records, block.image_ids)
        images = render(job.model, list(unique), list(unique.values()), block, job.tile, job.device)
        for canvas, image in zip(unique, images, strict=True):
            pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
            Image.fromarray(pixels).save(out / f"image_{canvas.image_id:03d}.png")
    return sum(len(block.image_ids) for block in blocks)
