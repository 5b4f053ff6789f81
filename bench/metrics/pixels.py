"""Errors of the repainted pixels against the original ones: PSNR and mean absolute error in the hole, per image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskgit.errors import InputError

PEAK = 255
PSNR_CAP_DB = 100.0
"""What an exact hole scores, and the most any scores: so that means stay finite. One grey level of error in one value
of a 64 × 64 hole gives 89 dB."""


def psnr_hole_db(images: NDArray[np.uint8], truth: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio over the pixels of the hole alone, 10 log10(255² / MSE), at most `PSNR_CAP_DB`.

    Args:
        images: (N, 3, H, W) uint8, repainted.
        truth: (N, 3, H, W) uint8, the originals.
        hole: (N, H, W) bool, True where repainted.

    Returns:
        (N,) float64, in dB.

    Raises:
        InputError: The shapes do not fit, a type is wrong, or an image has no hole.
    """
    error = _differences(images, truth, hole)
    mse = _mean_in_hole(error * error, hole)
    with np.errstate(divide="ignore"):
        return np.minimum(10.0 * np.log10(PEAK**2 / mse), PSNR_CAP_DB)


def mae_hole(images: NDArray[np.uint8], truth: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean absolute error over the pixels of the hole alone, (N,) float64, in grey levels from 0 to 255.

    Arguments and errors as those of `psnr_hole_db`.
    """
    return _mean_in_hole(np.abs(_differences(images, truth, hole)), hole)


def _differences(images: NDArray[np.uint8], truth: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Images less truth, (N, 3, H, W), after every check."""
    if images.dtype != np.uint8 or truth.dtype != np.uint8 or hole.dtype != np.bool_:
        raise InputError(
            f"images, truth, hole: expected uint8, uint8 and bool, got {images.dtype}, {truth.dtype} and {hole.dtype}"
        )
    n, *_, height, width = images.shape if images.ndim == 4 else (0, 0, 0)
    if images.ndim != 4 or truth.shape != images.shape or hole.shape != (n, height, width):
        raise InputError(
            f"images, truth, hole: shapes {images.shape}, {truth.shape} and {hole.shape} do not fit; "
            "expected (N, 3, H, W) twice and (N, H, W)"
        )
    whole = ~hole.any(axis=(1, 2))
    if whole.any():
        raise InputError(
            f"hole: empty in {whole.sum()} of {n} images, first in row {whole.argmax()}; give masks with a hole"
        )
    return images.astype(np.int32) - truth


def _mean_in_hole(values: NDArray[np.int32], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over channels and the hole's pixels; sums are whole numbers, hence exact in any order."""
    channels = values.shape[1]
    sums = np.where(hole, values.sum(axis=1), 0).sum(axis=(1, 2), dtype=np.int64)
    return sums / (channels * hole.sum(axis=(1, 2)))
