"""Embed: from rendered images to features and pixel errors, stored by canvas so that nothing is rendered twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch

from bench.features.registry import Extractor
from bench.metrics.images import picture_errors
from bench.run.blocks import Block
from bench.run.render import render
from bench.store.canvases import Address, Canvas, addresses, column, to_table, vectors
from bench.store.keys import Numerics, feature_key, pixels_key, reference_key
from bench.store.kinds import FEATURES, PIXELS, REFERENCE
from bench.store.store import Store
from maskgit.model import MaskedImageModel
from maskgit.tiles import tiled

TILES_AT_ONCE = 8  # rendered images held in memory, in tiles


def embed_block(
    model: MaskedImageModel,
    extractors: list[Extractor],
    unique: dict[Canvas, np.ndarray],
    block: Block,
    model_key: str,
    store: Store,
    tile: int,
    device: str,
    on_images: Callable[[int, bool], None] = lambda images, found: None,
) -> None:
    """Render the canvases that lack features or pixel errors, and commit what they lack.

    Args:
        unique: Distinct canvases of the block with their tokens.
        model_key: Key of the block's model layer.
        on_images: Told the number of canvases that are done, and whether they were found in the store.
    """
    keys = {extractor.name: feature_key(model_key, extractor.fingerprint) for extractor in extractors}
    errors_key = pixels_key(model_key, block.identity)
    have = {name: addresses(store.read(FEATURES, key)) for name, key in keys.items()}
    have_errors = addresses(store.read(PIXELS, errors_key))
    missing = [c for c in unique if c.address not in have_errors or any(c.address not in h for h in have.values())]
    on_images(len(unique) - len(missing), True)

    rows: dict[str, list[np.ndarray]] = {name: [] for name in keys}
    errors: list[dict[str, np.ndarray]] = []
    for start in range(0, len(missing), tile * TILES_AT_ONCE):
        some = missing[start : start + tile * TILES_AT_ONCE]
        images = render(model, some, [unique[canvas] for canvas in some], block, tile, device)
        places = [canvas.row for canvas in some]
        errors.append(picture_errors(images, block.truth[places], block.hole[places], tile))
        for extractor in extractors:
            rows[extractor.name].append(embed_images(extractor, images, tile, device))
        on_images(len(some), False)
    if missing:
        for name, key in keys.items():
            _append_new(store, FEATURES, key, missing, have[name], {"feature": np.concatenate(rows[name])})
        values = {name: np.concatenate([part[name] for part in errors]) for name in errors[0]}
        _append_new(store, PIXELS, errors_key, missing, have_errors, values)


def embed_images(extractor: Extractor, images: np.ndarray, tile: int, device: str) -> np.ndarray:
    """Features (M, D) float32 of images (M, 3, H, W) uint8."""
    return tiled(extractor.embed, torch.from_numpy(images).to(device), tile).cpu().numpy()


def reference_features(
    extractor: Extractor, block: Block, numerics: Numerics, store: Store, tile: int, device: str
) -> np.ndarray:
    """Features (B, D) of a block's ground truth, from the store if they are there."""
    key = reference_key(block.identity, extractor.fingerprint, numerics)
    return kept_features(store, REFERENCE, key, lambda: embed_images(extractor, block.truth, tile, device))


def kept_features(store: Store, kind: str, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Features (M, D) float32 under a key; computed, and committed, where the store has none."""
    return vectors(store.get_or_compute(kind, key, lambda: pa.table({"feature": column(compute())})))


def _append_new(
    store: Store, kind: str, key: str, canvases: list[Canvas], have: dict[Address, int], values: dict[str, np.ndarray]
) -> None:
    """Commit the rows of those canvases that are not there yet."""
    new = [position for position, canvas in enumerate(canvases) if canvas.address not in have]
    if new:
        rows = {name: value[new] for name, value in values.items()}
        store.append(kind, key, to_table([canvases[position] for position in new], rows))
