"""Extraction: features of pictures that are read block by block, kept by content from one call to the next."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.features.registry import Extractor, load
from bench.features.sources import Source
from bench.fid.samples import Pictures
from bench.files import prepare_folder
from bench.grid.spec import ExecutionSection
from bench.progress.reporter import Reporter
from bench.run import environment
from bench.run.embed import embed_images, kept_features
from bench.store.keys import Numerics, pictures_key
from bench.store.kinds import PICTURES
from bench.store.store import Store
from maskgit.data.dedup import digests
from maskgit.errors import InputError


def extract(
    samples: list[Pictures], source: Source, device: str = "auto", kept: Path | None = None, quiet: bool = False
) -> list[NDArray[np.float32]]:
    """Features (N, D) of each sample.

    Args:
        samples: At least one.
        source: The extractor's weights.
        device: "auto", "cpu", "cuda" or "cuda:1".
        kept: Folder in which features are looked up and kept, by the pixels of every block, the extractor and the
            numerics; None keeps nothing.
        quiet: Show no progress.

    Raises:
        InputError: No such device; the weights do not fit; the cache cannot be used; a picture changed meanwhile.
    """
    execution = ExecutionSection()
    where = environment.resolve_device(device)
    numerics = environment.configure(execution, where)
    store = None
    if kept is not None:
        prepare_folder(kept, "set XDG_CACHE_HOME to another folder, or give --no-cache")
        store = Store(kept)

    @cache
    def extractor() -> Extractor:  # loaded once something is to be extracted
        return load(source, where)

    def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return embed_images(extractor(), images, numerics.tile, where)

    pictures = sum(sample.n for sample in samples)
    with Reporter(pictures, quiet, stage=f"{source.name} features", images=pictures) as progress:
        return [_features(s, source, embed, numerics, execution.block, store, progress.advance) for s in samples]


def _features(
    sample: Pictures,
    source: Source,
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    numerics: Numerics,
    block: int,
    store: Store | None,
    on_pictures: Callable[[int], None],
) -> NDArray[np.float32]:
    parts = []
    for start in range(0, sample.n, block):
        hashes = sample.digests[start : start + block]

        def compute(start: int = start, hashes: tuple[str, ...] = hashes) -> NDArray[np.float32]:
            images = sample.read(start, start + len(hashes))
            if tuple(digests(images)) != hashes:
                raise InputError(f"{sample.name}: changed while it was read; try again")
            return embed(images)

        key = pictures_key(hashes, source.fingerprint, numerics)
        parts.append(compute() if store is None else kept_features(store, PICTURES, key, compute))
        on_pictures(len(hashes))
    return np.concatenate(parts)
