"""Score every cell and reference row from stored canvases, features and pixel errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.metrics.images import PIXEL_METRICS
from bench.metrics.measure import ALL, Number, ReferenceSet, measure
from bench.results.stored import StoredWork, cell_canvases, errors_at, features_at, record_of
from bench.run.block_work import BlockWork
from bench.run.references import Row, one_shot_cells, painted_rows
from bench.store.canvases import Canvas, vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.features.registry import Extractor
    from bench.grid.plan import Cell
    from bench.run.blocks import Block
    from bench.run.job import Job
    from bench.store.store import Store

FEATURE_BYTES = 1 << 30  # features of all cells held in memory at once


@dataclass(frozen=True, eq=False)
class CellScore:
    """A cell's numbers, and the values (N,) of its images by name, including the influence on the primary score."""

    cell: Cell
    numbers: tuple[Number, ...]
    images: dict[str, np.ndarray]

    def number(self, metric: str, features: str = "") -> Number:
        """One of the numbers over all images."""
        return next(n for n in self.numbers if (n.metric, n.features, n.subset) == (metric, features, ALL))


@dataclass(frozen=True)
class RowScore:
    """A reference row's numbers."""

    row: Row
    numbers: tuple[Number, ...]


def score_cells(
    job: Job, blocks: list[Block], extractors: list[Extractor], against: ReferenceSet, store: Store
) -> Iterator[CellScore]:
    """Score a job's cells, as many at a time as fit into FEATURE_BYTES."""
    n_images = sum(len(block.image_ids) for block in blocks)
    bytes_per_cell = 4 * n_images * sum(extractor.dim for extractor in extractors)
    at_once = max(1, FEATURE_BYTES // bytes_per_cell)
    stored, works = job.stored(blocks, store), [BlockWork(job, block, store) for block in blocks]
    likelihood = np.concatenate([work.truth_nll_nats() for work in works])
    for start in range(0, len(job.plan.cells), at_once):
        cells = job.plan.cells[start : start + at_once]
        canvases = cell_canvases(stored, cells)
        features = {e.name: features_at(stored, canvases, e.fingerprint) for e in extractors}
        errors, accuracy = errors_at(stored, canvases), _token_accuracy(stored, works, cells)
        for cell in cells:
            values = {**errors[cell], "token_accuracy": accuracy[cell], "truth_nll_nats": likelihood}
            numbers, influence = measure({name: f[cell] for name, f in features.items()}, values, against)
            yield CellScore(cell, numbers, {**values, "influence": influence[extractors[0].name]})


def score_rows(
    jobs: list[Job], blocks: list[Block], extractors: list[Extractor], against: ReferenceSet, store: Store
) -> Iterator[RowScore]:
    """Score the reference rows of a run."""
    for job in jobs:
        stored = job.stored(blocks, store)
        one_shot = one_shot_cells(job.plan)
        canvases: dict[Row, list[list[Canvas]]] = {
            one_shot[cell]: parts for cell, parts in cell_canvases(stored, one_shot).items()
        }
        for block in blocks:
            for row, tokens in BlockWork(job, block, store).truth_canvases().items():
                canvases.setdefault(row, []).append(list(tokens))
        features = {e.name: features_at(stored, canvases, e.fingerprint) for e in extractors}
        errors = errors_at(stored, canvases)
        for row in canvases:
            yield RowScore(row, measure({name: f[row] for name, f in features.items()}, errors[row], against)[0])
    for name in painted_rows(blocks[0]):
        works = [BlockWork(jobs[0], block, store) for block in blocks]
        tables = {e.name: pa.concat_tables([work.painted(name, e) for work in works]) for e in extractors}
        errors_of_row = {error: tables[extractors[0].name][error].to_numpy() for error in PIXEL_METRICS}
        features_of_row = {extractor: vectors(table) for extractor, table in tables.items()}
        yield RowScore(Row(name, None, "none"), measure(features_of_row, errors_of_row, against)[0])


def _token_accuracy(stored: StoredWork, works: Sequence[BlockWork], cells: Sequence[Cell]) -> dict[Cell, np.ndarray]:
    """Token accuracy in the hole, (N,) for each cell."""
    parts: dict[Cell, list[np.ndarray]] = {cell: [] for cell in cells}
    for work in works:
        truth, mask = work.truth_tokens(), work.masked.mask.cpu().numpy()
        records = {t: record_of(stored, t, work.block.identity) for t in {cell.trajectory for cell in cells}}
        for cell in cells:
            correct = (records[cell.trajectory].canvases[cell.sweet_spot - 1] == truth) & mask
            parts[cell].append(correct.sum(1) / mask.sum(1))
    return {cell: np.concatenate(part) for cell, part in parts.items()}
