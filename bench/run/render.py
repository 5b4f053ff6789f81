"""Render the canvases of a block to 8-bit images, each distinct canvas once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.run.blocks import Block
    from bench.run.runtime import Runtime
    from bench.store.canvases import Canvas
    from maskgit.model import MaskedImageModel


def render(
    model: MaskedImageModel, canvases: Sequence[Canvas], tokens: list[np.ndarray], block: Block, runtime: Runtime
) -> np.ndarray:
    """Images (M, 3, H, W) uint8 of M canvases; canvases that differ only in composition are decoded once."""
    addresses = [(canvas.image_id, canvas.digest) for canvas in canvases]
    first = {address: position for position, address in reversed(list(enumerate(addresses)))}
    order = sorted(first.values())
    place = {addresses[position]: index for index, position in enumerate(order)}
    decoded = runtime.map_array(model.render, np.stack([tokens[position] for position in order]).astype(np.int64))
    images = decoded[[place[address] for address in addresses]]
    for image, canvas in zip(images, canvases, strict=True):
        if canvas.compose == "paste":
            paste_known(image, block.masked[canvas.row], block.hole[canvas.row])
    return images


def paste_known(image: np.ndarray, masked: np.ndarray, hole: np.ndarray) -> None:
    """Put the known pixels back, in place: image and masked (3, H, W) uint8, hole (H, W) bool."""
    np.copyto(image, masked, where=~hole)
