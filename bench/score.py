"""Score: from stored canvases, features and pixel errors to the numbers of every cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from bench.blocks import Block
from bench.decode import Record, read_record
from bench.embed import FEATURES, PIXELS, addresses, vectors
from bench.features.registry import Extractor
from bench.job import Job
from bench.keys import feature_key, pixels_key, trajectory_key, truth_tokens_key
from bench.metrics.frechet import Prepared, distance, prepare
from bench.plan import Cell, Trajectory
from bench.render import canvases_of_cell
from bench.store import Store
from bench.tiles import tiled
from maskgit.masks import token_mask

TRUTH_TOKENS = "truth-tokens"
FEATURE_BYTES = 1 << 30  # features of all cells held in memory at once


@dataclass(frozen=True)
class ImageScores:
    """Per-image numbers of a cell over all N test images, each (N,)."""

    psnr_hole_db: np.ndarray
    mae_hole: np.ndarray
    token_accuracy: np.ndarray


@dataclass(frozen=True)
class CellScore:
    """A cell's numbers: the Fréchet distance by extractor, and those of its images."""

    cell: Cell
    distance: dict[str, float]
    images: ImageScores


def truth_tokens(job: Job, block: Block, store: Store) -> np.ndarray:
    """Tokens (B, N) int64 of a block's ground truth, from the store if they are there."""
    key = truth_tokens_key(job.model.fingerprint, block.identity, job.numerics)
    table = store.read(TRUTH_TOKENS, key)
    if table is None:
        images = torch.from_numpy(block.truth).to(job.device)
        tokens = tiled(job.model.encode, images, job.tile).cpu().numpy()
        column = pa.FixedSizeListArray.from_arrays(pa.array(tokens.astype(np.uint16).reshape(-1)), tokens.shape[1])
        store.append(TRUTH_TOKENS, key, pa.table({"tokens": column}))
        return tokens
    column = table["tokens"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1).astype(np.int64)


def score_cells(
    job: Job, blocks: list[Block], extractors: list[Extractor], references: dict[str, Prepared], store: Store
) -> Iterator[CellScore]:
    """Score a job's cells, as many at a time as FEATURE_BYTES holds.

    Args:
        references: The ground truth's prepared features by extractor.
    """
    n_images = sum(len(block.image_ids) for block in blocks)
    bytes_a_cell = 4 * n_images * sum(extractor.dim for extractor in extractors)
    at_once = max(1, FEATURE_BYTES // bytes_a_cell)
    for start in range(0, len(job.plan.cells), at_once):
        yield from _score_group(job, job.plan.cells[start : start + at_once], blocks, extractors, references, store)


def _score_group(
    job: Job,
    cells: tuple[Cell, ...],
    blocks: list[Block],
    extractors: list[Extractor],
    references: dict[str, Prepared],
    store: Store,
) -> Iterator[CellScore]:
    features: dict[tuple[Cell, str], list[np.ndarray]] = {(c, e.name): [] for c in cells for e in extractors}
    images: dict[Cell, list[ImageScores]] = {cell: [] for cell in cells}
    for block in blocks:
        records = {cell.trajectory: record_of(job, cell.trajectory, block, store) for cell in cells}
        for extractor in extractors:
            table = _stored(store, FEATURES, feature_key(job.key(block), extractor.fingerprint))
            index, matrix = addresses(table), vectors(table)
            for cell in cells:
                canvases = canvases_of_cell(cell, records[cell.trajectory], block)
                features[cell, extractor.name].append(matrix[[index[canvas.address] for canvas in canvases]])
        errors = _stored(store, PIXELS, pixels_key(job.key(block), block.identity))
        index = addresses(errors)
        psnr, mae = errors["psnr_hole_db"].to_numpy(), errors["mae_hole"].to_numpy()
        truth, mask = truth_tokens(job, block, store), token_mask(torch.from_numpy(block.hole), job.model.cell).numpy()
        for cell in cells:
            record = records[cell.trajectory]
            rows = [index[canvas.address] for canvas in canvases_of_cell(cell, record, block)]
            right = ((record.canvases[cell.sweet_spot - 1] == truth) & mask).sum(1)
            images[cell].append(ImageScores(psnr[rows], mae[rows], right / mask.sum(1)))
    for cell in cells:
        distances = {
            extractor.name: distance(
                prepare(np.concatenate(features[cell, extractor.name])), references[extractor.name]
            )
            for extractor in extractors
        }
        yield CellScore(cell, distances, _concatenate(images[cell]))


def record_of(job: Job, trajectory: Trajectory, block: Block, store: Store) -> Record:
    """The stored record of a trajectory over a block."""
    record = read_record(store, trajectory_key(job.key(block), block.identity, trajectory.decode_settings), block)
    assert record is not None, f"{trajectory} was planned but not decoded"
    return record


def _stored(store: Store, kind: str, key: str) -> pa.Table:
    table = store.read(kind, key)
    assert table is not None, f"{kind} {key} was planned but not stored"
    return table


def _concatenate(parts: list[ImageScores]) -> ImageScores:
    return ImageScores(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("psnr_hole_db", "mae_hole", "token_accuracy")
        )
    )
