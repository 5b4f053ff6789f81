"""Convert masks of pixels to masks of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def token_mask(hole: Tensor, cell: int) -> Tensor:
    """Tokens to predict: those with any pixel of their cell in the hole.

    Args:
        hole: (B, H, W) bool, True = repaint.
        cell: Side in pixels of the square that a token covers; divides H and W.

    Returns:
        (B, N) bool, True = predict; N = (H / cell) · (W / cell), in row-major order.

    Raises:
        ValueError: the cell does not divide the image.
    """
    B, H, W = hole.shape
    if H % cell or W % cell:
        raise ValueError(f"a hole of {H}×{W} pixels does not divide into cells of {cell}×{cell}")
    return hole.reshape(B, H // cell, cell, W // cell, cell).any(4).any(2).flatten(1)
