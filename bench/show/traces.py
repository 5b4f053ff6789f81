"""Traces: the decoding steps of single images in one cell of a reopened run, as pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.results.stored import record_of
from bench.run.render import paste_known
from maskgit.masks import token_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.grid.plan import Cell
    from bench.run.blocks import Block
    from bench.run.job import Job
    from bench.show.reopen import Reopened
    from bench.store.records import Record


@dataclass(frozen=True, eq=False)
class Trace:
    """The decoding of one image in one cell; images are (H, W, 3) uint8, masks (H, W) bool.

    Attributes:
        masked: The masked input.
        hole: True where pixels are to be repainted.
        truth: The ground truth.
        asked: True where a token was to be predicted.
        steps: The S steps to draw; the last one is the cell's sweet spot.
        canvases: (S, H, W, 3), the whole canvas after each step, decoded, before any composition.
        still: (S, H, W), True where a token is still masked after the step.
        tokens_left: (S,), number of tokens still masked after the step.
        confidence: (S,) float32, mean model probability of the tokens sampled in the step.
        final: The scored image: the last canvas, composed.
    """

    masked: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    truth: NDArray[np.uint8]
    asked: NDArray[np.bool_]
    steps: tuple[int, ...]
    canvases: NDArray[np.uint8]
    still: NDArray[np.bool_]
    tokens_left: NDArray[np.int64]
    confidence: NDArray[np.float32]
    final: NDArray[np.uint8]


def traces(source: Reopened, cell: Cell, image_ids: Sequence[int], most_steps: int | None = None) -> list[Trace]:
    """Traces of some images in one cell, in the order of the ids; at most `most_steps` steps, evenly spread.

    Raises:
        InputError: The store lacks the trajectory.
    """
    job, work = source.jobs[cell.trajectory.checkpoint], source.works[cell.trajectory.checkpoint]
    places = [_place(source.blocks, image_id) for image_id in image_ids]
    records = {
        number: record_of(work, cell.trajectory, source.blocks[number].identity, until=cell.sweet_spot)
        for number in {number for number, _ in places}
    }
    steps = spread(cell.sweet_spot, most_steps)
    canvases = _rendered(job, [(records[number], row) for number, row in places], steps)
    return [
        _trace(job, cell, source.blocks[number], row, records[number], steps, of_image)
        for (number, row), of_image in zip(places, canvases, strict=True)
    ]


def spread(last: int, most: int | None) -> tuple[int, ...]:
    """Steps 1 … last, or `most` of them, evenly spread, including the first and the last (only the last if most = 1)."""
    if most is None or most >= last:
        return tuple(range(1, last + 1))
    if most == 1:
        return (last,)
    return tuple(int(step) for step in np.rint(np.linspace(1, last, most)))


def _rendered(job: Job, rows: Sequence[tuple[Record, int]], steps: Sequence[int]) -> NDArray[np.uint8]:
    """Decoded canvases after the given steps, one entry per (record, row): (I, S, 3, H, W)."""
    step_indices = np.array(steps) - 1
    tokens = np.stack([record.canvases[step_indices, row] for record, row in rows]).astype(np.int64)
    images = job.runtime.map_array(job.model.render, tokens.reshape(-1, tokens.shape[2]))
    return images.reshape(*tokens.shape[:2], *images.shape[1:])


def _trace(
    job: Job, cell: Cell, block: Block, row: int, record: Record, steps: tuple[int, ...], canvases: NDArray[np.uint8]
) -> Trace:
    masked, hole, final = block.masked[row], block.hole[row], canvases[-1].copy()
    if cell.compose == "paste":
        paste_known(final, masked, hole)
    asked = token_mask(torch.from_numpy(hole[None]), job.model.cell).numpy()
    step_indices = np.array(steps) - 1
    return Trace(
        masked=_channels_last(masked),
        hole=hole,
        truth=_channels_last(block.truth[row]),
        asked=_as_pixels(asked, job)[0],
        steps=steps,
        canvases=_channels_last(canvases),
        still=_as_pixels(record.masks[step_indices, row], job),
        tokens_left=record.masked_left[step_indices, row],
        confidence=record.confidence[step_indices, row],
        final=_channels_last(final),
    )


def _place(blocks: list[Block], image_id: int) -> tuple[int, int]:
    """Block and row of an image; the image must exist."""
    return next((b, int(row)) for b, block in enumerate(blocks) for row in np.flatnonzero(block.image_ids == image_id))


def _as_pixels(tokens: NDArray[np.bool_], job: Job) -> NDArray[np.bool_]:
    """Token masks (S, N) as pixel masks (S, H, W)."""
    side, cell = job.model.image_size // job.model.cell, job.model.cell
    return tokens.reshape(-1, side, side).repeat(cell, axis=1).repeat(cell, axis=2)


def _channels_last(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.moveaxis(images, -3, -1))
