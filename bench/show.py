"""Show: how single images were decoded, step by step, as one PNG sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from bench.blocks import Block
from bench.decode import decode_block
from bench.export import open_cell
from bench.folder import RunFolder
from bench.job import Job
from bench.plan import Cell
from bench.records import Record
from bench.render import paste_known
from bench.tiles import tiled
from maskgit.errors import InputError

GREY = 128
GAP = 4
HEADER = 14


def show_cell(run: RunFolder, cell_id: str, image_ids: list[int], out: Path, scale: int = 2) -> None:
    """Write a sheet of a cell: for each image its masked input, what is fixed and the whole canvas after each step,
    and the ground truth.

    Raises:
        InputError: No such cell or image, or the file cannot be written.
    """
    opened = open_cell(run, cell_id)
    rows: list[np.ndarray] = []
    for image_id in image_ids:
        block, row = _find(opened.blocks, image_id)
        record = decode_block(
            opened.job.masked(block), opened.job.key(block), opened.job.plan.trajectories, opened.store
        )[opened.cell.trajectory]
        rows += _rows(opened.job, opened.cell, block, row, record)
    titles = ["masked", *(f"step {step}" for step in range(1, opened.cell.sweet_spot + 1)), "truth"]
    try:
        _sheet(rows, titles, scale).save(out, format="PNG")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another --output") from None


def _rows(job: Job, cell: Cell, block: Block, row: int, record: Record) -> list[np.ndarray]:
    """Two rows (columns, 3, H, W): what is fixed after each step, and the canvas complete."""
    steps = cell.sweet_spot
    canvases = torch.from_numpy(record.canvases[:steps, row].astype(np.int64)).to(job.device)
    images = tiled(job.model.render, canvases, job.tile).cpu().numpy()
    if cell.compose == "paste":
        for image in images:
            paste_known(image, block.masked[row], block.hole[row])
    side = images.shape[-1] // job.model.cell
    still = record.masks[:steps, row].reshape(steps, 1, side, side)
    still = still.repeat(job.model.cell, axis=2).repeat(job.model.cell, axis=3)
    fixed = np.where(still, GREY, images).astype(np.uint8)
    ends = block.masked[row][None], block.truth[row][None]
    return [np.concatenate([ends[0], middle, ends[1]]) for middle in (fixed, images)]


def _find(blocks: list[Block], image_id: int) -> tuple[Block, int]:
    for block in blocks:
        places = np.flatnonzero(block.image_ids == image_id)
        if len(places):
            return block, int(places[0])
    raise InputError(
        f"--image {image_id}: no such image; ids run from {blocks[0].image_ids[0]} to {blocks[-1].image_ids[-1]}"
    )


def _sheet(rows: list[np.ndarray], titles: list[str], scale: int) -> Image.Image:
    side = rows[0].shape[-1] * scale
    width = len(titles) * (side + GAP) - GAP
    sheet = Image.new("RGB", (width, HEADER + len(rows) * (side + GAP) - GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        x = column * (side + GAP)
        draw.text((x + 2, 1), title, fill="black")
        for number, images in enumerate(rows):
            tile = Image.fromarray(np.ascontiguousarray(images[column].transpose(1, 2, 0)))
            sheet.paste(tile.resize((side, side), Image.Resampling.NEAREST), (x, HEADER + number * (side + GAP)))
    return sheet
