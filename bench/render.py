"""Render: from the canvases of a block to 8-bit images, each distinct canvas once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from bench.blocks import Block
from bench.decode import Record
from bench.plan import Cell, Trajectory
from bench.tiles import tiled
from maskgit.model import MaskedImageModel


@dataclass(frozen=True)
class Canvas:
    """One distinct canvas of one image of a block, composed in one way."""

    row: int  # of the image in its block
    image_id: int
    digest: bytes
    compose: str

    @property
    def address(self) -> tuple[int, bytes, str]:
        """What its features and pixel errors are found by."""
        return self.image_id, self.digest, self.compose


def canvases_of_cell(cell: Cell, record: Record, block: Block) -> list[Canvas]:
    """The canvas of every image of a block at a cell's sweet spot, in the block's order."""
    tokens = record.canvases[cell.sweet_spot - 1]
    return [
        Canvas(row, int(image_id), _digest(tokens[row]), cell.compose) for row, image_id in enumerate(block.image_ids)
    ]


def unique_canvases(cells: Iterable[Cell], records: dict[Trajectory, Record], block: Block) -> dict[Canvas, np.ndarray]:
    """The distinct canvases of a block over some cells, each with its tokens (N,), in order of first appearance."""
    unique: dict[Canvas, np.ndarray] = {}
    for cell in cells:
        record = records[cell.trajectory]
        for canvas in canvases_of_cell(cell, record, block):
            unique.setdefault(canvas, record.canvases[cell.sweet_spot - 1, canvas.row])
    return unique


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


def _digest(tokens: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(tokens).tobytes()).digest()[:16]
