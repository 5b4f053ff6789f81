"""Render: from the canvases of a block to 8-bit images, each distinct canvas once."""

from __future__ import annotations

import numpy as np
import torch

from bench.run.blocks import Block
from bench.store.canvases import Canvas
from maskgit.model import MaskedImageModel
from maskgit.tiles import tiled


def render(
    model: MaskedImageModel, canvases: list[Canvas], tokens: list[np.ndarray], block: Block, tile: int, device: str
) -> np.ndarray:
    """Images (M, 3, H, W) uint8 of M canvases; canvases that differ in composition alone are decoded together once."""
    addresses = [(canvas.image_id, canvas.digest) for canvas in canvases]
    first = {address: position for position, address in reversed(list(enumerate(addresses)))}
    order = sorted(first.values())
    place = {addresses[position]: index for index, position in enumerate(order)}
    batch = torch.from_numpy(np.stack([tokens[position] for position in order]).astype(np.int64)).to(device)
    decoded = tiled(model.render, batch, tile).cpu().numpy()
    images = decoded[[place[address] for address in addresses]]
    for image, canvas in zip(images, canvases, strict=True):
        if canvas.compose == "paste":
            paste_known(image, block.masked[canvas.row], block.hole[canvas.row])
    return images


def paste_known(image: np.ndarray, masked: np.ndarray, hole: np.ndarray) -> None:
    """Put the known pixels back, in place: image and masked (3, H, W) uint8, hole (H, W) bool."""
    np.copyto(image, masked, where=~hole)
