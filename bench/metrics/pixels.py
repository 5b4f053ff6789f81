"""Pixel errors of an image against its original, over a region: the hole, or the ring around its border."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PEAK = 255
RING_PX = 2
PSNR_CAP_DB = 100.0
"""Highest PSNR, also that of an exact hole, so that means stay finite. One grey level of error in one value of a 64 × 64
hole gives 89 dB."""


def border_ring(hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels within `RING_PX` of the hole's border, on both sides, where a seam would be visible.

    Args:
        hole: (N, H, W) bool, True where repainted.

    Returns:
        (N, H, W) bool; the distance is the larger of rows and columns (Chebyshev). The image's edge is not a border.
    """
    around = np.ones((1, 2 * RING_PX + 1, 2 * RING_PX + 1), bool)
    return binary_dilation(hole, around) & ~binary_erosion(hole, around, border_value=1)


def psnr_db(images: NDArray[np.uint8], truth: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio over the pixels of a region, 10 log10(255² / MSE), at most `PSNR_CAP_DB`.

    Args:
        images: (N, 3, H, W) uint8, repainted.
        truth: (N, 3, H, W) uint8, the originals.
        region: (N, H, W) bool, True where pixels count.

    Returns:
        (N,) float64, in dB.

    Raises:
        InputError: The shapes do not fit, a type is wrong, or an image's region is empty.
    """
    error = _differences(images, truth, region)
    mse = _mean_in(error * error, region)
    with np.errstate(divide="ignore"):
        return np.minimum(10.0 * np.log10(PEAK**2 / mse), PSNR_CAP_DB)


def mean_absolute_error(
    images: NDArray[np.uint8], truth: NDArray[np.uint8], region: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Mean absolute error over the pixels of a region, (N,) float64, in grey levels from 0 to 255.

    Arguments and errors are those of `psnr_db`.
    """
    return _mean_in(np.abs(_differences(images, truth, region)), region)


def _differences(images: NDArray[np.uint8], truth: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Images minus truth, (N, 3, H, W) int32, after all checks."""
    if images.dtype != np.uint8 or truth.dtype != np.uint8 or region.dtype != np.bool_:
        raise InputError(
            f"images, truth, region: expected uint8, uint8 and bool, got {images.dtype}, {truth.dtype} and {region.dtype}"
        )
    n, *_, height, width = images.shape if images.ndim == 4 else (0, 0, 0)
    if images.ndim != 4 or truth.shape != images.shape or region.shape != (n, height, width):
        raise InputError(
            f"images, truth, region: shapes {images.shape}, {truth.shape} and {region.shape} do not fit; "
            "expected (N, 3, H, W) twice and (N, H, W)"
        )
    empty = ~region.any(axis=(1, 2))
    if empty.any():
        raise InputError(
            f"region: empty in {empty.sum()} of {n} images, first in row {empty.argmax()}; give masks with a hole"
        )
    return images.astype(np.int32) - truth


def _mean_in(values: NDArray[np.int32], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over channels and the region's pixels, (N,); the sums are integers and therefore exact in any order."""
    channels = values.shape[1]
    sums = np.where(region, values.sum(axis=1), 0).sum(axis=(1, 2), dtype=np.int64)
    return cast("NDArray[np.float64]", sums / (channels * region.sum(axis=(1, 2))))
