"""Embed: from rendered images to features and pixel errors, stored by canvas so that no canvas is rendered twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.store.canvases import Address, Canvas, addresses, column, to_table, vectors

if TYPE_CHECKING:
    from bench.features.registry import Extractor
    from bench.run.runtime import Runtime
    from bench.store.store import Store

TILES_AT_ONCE = 8  # tiles of rendered images in memory

Measure = Callable[[np.ndarray, Sequence[Canvas]], Mapping[str, np.ndarray]]
"""Function from images (M, 3, H, W) uint8 of M canvases to the columns to store: M values or vectors, by name."""


@dataclass(eq=False)
class Shelf:
    """One key of stored work on canvases: the stored rows, and the rows measured now."""

    store: Store
    kind: str
    key: str
    measure: Measure
    stored: dict[Address, int] = field(init=False)
    fresh: list[pa.Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stored = addresses(self.store.read(self.kind, self.key))

    def lacks(self, canvas: Canvas) -> bool:
        """True if nothing is stored for a canvas."""
        return canvas.address not in self.stored

    def add(self, canvases: Sequence[Canvas], images: np.ndarray) -> None:
        """Measure the images of the canvases that are not stored."""
        rows = [row for row, canvas in enumerate(canvases) if self.lacks(canvas)]
        if rows:
            lacking = [canvases[row] for row in rows]
            self.fresh.append(to_table(lacking, self.measure(images[rows], lacking)))

    def commit(self) -> None:
        """Store the measured rows as one part, and move damaged parts aside."""
        self.store.clear(self.kind, self.key)
        if self.fresh:
            self.store.append(self.kind, self.key, pa.concat_tables(self.fresh).combine_chunks())


def fill_shelves(
    shelves: Sequence[Shelf],
    canvases: Sequence[Canvas],
    render: Callable[[Sequence[Canvas]], np.ndarray],
    at_once: int,
    on_rendered: Callable[[int, bool], None],
) -> None:
    """Render each canvas that a shelf lacks once, and store the measurements of the shelves.

    Args:
        shelves: The keys to look up and their measurements.
        canvases: Distinct canvases.
        render: Renders M canvases to images (M, 3, H, W) uint8.
        at_once: Images in memory at a time.
        on_rendered: Called with the number of canvases that are done, and True if they were stored already.
    """
    lacking = [canvas for canvas in canvases if any(shelf.lacks(canvas) for shelf in shelves)]
    on_rendered(len(canvases) - len(lacking), True)
    for batch in _batches(lacking, at_once):
        images = render(batch)
        for shelf in shelves:
            shelf.add(batch, images)
        on_rendered(len(batch), False)
    for shelf in shelves:
        shelf.commit()


def embed_images(extractor: Extractor, images: np.ndarray, runtime: Runtime) -> np.ndarray:
    """Features (M, D) float32 of images (M, 3, H, W) uint8."""
    return runtime.map_array(extractor.embed, images)


def kept_features(store: Store, kind: str, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Features (M, D) float32 under a key, computed and committed first if the store has none."""
    return vectors(store.get_or_compute(kind, key, lambda: pa.table({"feature": column(compute())})))


def _batches(canvases: Sequence[Canvas], size: int) -> Iterator[list[Canvas]]:
    rest = iter(canvases)
    while batch := list(islice(rest, size)):
        yield batch
