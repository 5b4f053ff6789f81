"""Score: from stored canvases, features and pixel errors to the numbers of every cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from bench.blocks import Block
from bench.features.registry import Extractor
from bench.job import Job
from bench.keys import truth_tokens_key
from bench.metrics.frechet import Prepared, distance, prepare
from bench.plan import Cell
from bench.store import Store
from bench.stored import cell_features, cell_pixel_errors, record_of
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
    work = job.stored(blocks, store)
    features = {extractor.name: cell_features(work, cells, extractor.fingerprint) for extractor in extractors}
    errors = cell_pixel_errors(work, cells, ("psnr_hole_db", "mae_hole"))
    accuracy = _token_accuracy(job, cells, blocks, store)
    for cell in cells:
        distances = {name: distance(prepare(rows[cell]), references[name]) for name, rows in features.items()}
        yield CellScore(cell, distances, ImageScores(**errors[cell], token_accuracy=accuracy[cell]))


def _token_accuracy(job: Job, cells: tuple[Cell, ...], blocks: list[Block], store: Store) -> dict[Cell, np.ndarray]:
    """Share of the hole's tokens that equal the ground truth's, (N,) for each cell."""
    work = job.stored(blocks, store)
    parts: dict[Cell, list[np.ndarray]] = {cell: [] for cell in cells}
    for block in blocks:
        truth, mask = truth_tokens(job, block, store), token_mask(torch.from_numpy(block.hole), job.model.cell).numpy()
        records = {t: record_of(work, t, block.identity) for t in {cell.trajectory for cell in cells}}
        for cell in cells:
            right = (records[cell.trajectory].canvases[cell.sweet_spot - 1] == truth) & mask
            parts[cell].append(right.sum(1) / mask.sum(1))
    return {cell: np.concatenate(part) for cell, part in parts.items()}
