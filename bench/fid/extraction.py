"""Extraction of features from images that are read block by block; features are cached by content between calls."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bench.features.registry import Extractor, load
from bench.grid.sections import ExecutionSection
from bench.progress.reporter import Reporter
from bench.run import environment
from bench.run.embed import embed_images, kept_features
from bench.run.runtime import Runtime
from bench.store.keys import Numerics, images_key
from bench.store.kinds import IMAGES
from bench.store.store import Store
from maskgit.data.dedup import digests
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.features.sources import Source
    from bench.fid.kinds import Images


def extract(
    samples: list[Images], source: Source, device: str = "auto", kept: Path | None = None, quiet: bool = False
) -> list[NDArray[np.float32]]:
    """Features (N, D) of each sample.

    Args:
        samples: One sample or more.
        source: The extractor's weights.
        device: "auto", "cpu", "cuda" or "cuda:1".
        kept: Writable folder that caches features by the pixels of every block, the extractor and the numerics; None
            caches nothing.
        quiet: Show no progress.

    Raises:
        InputError: No such device; the weights do not fit; or an image changed while it was read.
    """
    execution = ExecutionSection()
    resolved_device = environment.resolve_device(device)
    runtime = Runtime(resolved_device, environment.configure(execution, resolved_device))
    store = Store(kept) if kept is not None else None

    @cache
    def extractor() -> Extractor:  # loaded only if there is something to extract
        return load(source, resolved_device)

    def embed(images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return _by_size(images, lambda same: embed_images(extractor(), same, runtime))

    count = sum(sample.n for sample in samples)
    with Reporter(count, quiet, stage=f"{source.name} features", images=count) as progress:
        return [
            _features(s, source, embed, runtime.numerics, execution.block, store, progress.advance) for s in samples
        ]


def _features(
    sample: Images,
    source: Source,
    embed: Callable[[list[NDArray[np.uint8]]], NDArray[np.float32]],
    numerics: Numerics,
    block: int,
    store: Store | None,
    on_images: Callable[[int], None],
) -> NDArray[np.float32]:
    parts = []
    for start in range(0, sample.n, block):
        hashes = sample.digests[start : start + block]

        def compute(start: int = start, hashes: tuple[str, ...] = hashes) -> NDArray[np.float32]:
            images = sample.read(start, start + len(hashes))
            if tuple(digests(images)) != hashes:
                raise InputError(f"{sample.name}: changed while it was read; try again")
            return embed(images)

        key = images_key(hashes, source.fingerprint, numerics)
        parts.append(compute() if store is None else kept_features(store, IMAGES, key, compute))
        on_images(len(hashes))
    return np.concatenate(parts)


def _by_size(
    images: list[NDArray[np.uint8]], embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Features (N, D) of images of any sizes; images of one size are embedded together."""
    rows: dict[tuple[int, ...], list[int]] = {}
    for row, image in enumerate(images):
        rows.setdefault(image.shape, []).append(row)
    order = [row for of_size in rows.values() for row in of_size]
    features = np.concatenate([embed(np.stack([images[row] for row in of_size])) for of_size in rows.values()])
    return features[np.argsort(order)]
