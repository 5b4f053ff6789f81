"""Export of one cell's images as PNG files, for use in other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from bench.results.stored import record_of
from bench.run.render import render
from bench.show.reopen import Reopened, find_cell, reopen
from bench.store.canvases import unique_canvases
from maskgit.files import require_new, write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from bench.grid.plan import Cell
    from bench.results.folder import RunFolder


def export_cell(run: RunFolder, cell_id: str, out: Path, device: str | None = None) -> int:
    """Write the images of a cell as `image_000.png` …, numbered by image id: all of them, or none.

    Returns:
        The number of images.

    Raises:
        InputError: The cell is unknown, the run's inputs or its stored work are missing or changed, or the folder is
            not empty.
    """
    cell = find_cell(run, cell_id)
    require_new(out)
    source = reopen(run, [cell], device)
    write_folder(out, lambda folder: _write(source, cell, folder))
    return sum(len(block.image_ids) for block in source.blocks)


def _write(source: Reopened, cell: Cell, folder: Path) -> None:
    trajectory = cell.trajectory
    job, work = source.jobs[trajectory.checkpoint], source.works[trajectory.checkpoint]
    for block in source.blocks:
        records = {trajectory: record_of(work, trajectory, block.identity, until=cell.sweet_spot)}
        unique = unique_canvases((cell,), records, block.image_ids)
        images = render(job.model, list(unique), list(unique.values()), block, job.runtime)
        for canvas, image in zip(unique, images, strict=True):
            pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
            Image.fromarray(pixels).save(folder / f"image_{canvas.image_id:03d}.png")
