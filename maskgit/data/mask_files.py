"""Read mask files as black and white sides, in any format, mode or range of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maskgit.data.decode import decode_file
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

THRESHOLD = 128
"""A pixel of this value or more is on the white side."""
LARGEST_GREY_SHARE = 0.05
"""Largest share of grey pixels in a mask; above it, the threshold would decide the shape of the hole."""

_EXTREME = 32  # within this many levels of black or white, a pixel is not grey (JPEG)
_LOSSY = frozenset({"JPEG", "MPO", "WEBP"})


@dataclass(frozen=True, eq=False)
class MaskFile:
    """A mask with two sides.

    Attributes:
        white: bool, (H, W), True where a pixel is on the white side.
        grey_share: Share of the pixels that are neither nearly black nor nearly white.
        exact: Every pixel is 0 or 255 (or 0 or 1 in a mask of 0 and 1).
        zero_one: It holds only 0 and 1, and 1 counts as white.
    """

    white: NDArray[np.bool_]
    grey_share: float
    exact: bool
    zero_one: bool


def read_mask(path: Path) -> MaskFile:
    """Read a mask of one channel (or three equal ones; an opaque alpha channel is dropped).

    Raises:
        InputError: as `decode_file`, or more than 5 % of the pixels are grey; the message does not name the file.
    """
    decoded = decode_file(path, channels=1)
    values = decoded.pixels[0]
    if values.max() == 1:
        return MaskFile(values == 1, 0.0, exact=True, zero_one=True)
    exact = bool(((values == 0) | (values == 255)).all())
    grey_share = float(((values >= _EXTREME) & (values <= 255 - _EXTREME)).mean())
    if grey_share > LARGEST_GREY_SHARE:
        remedy = (
            f"{decoded.format} blurs edges: save masks as PNG"
            if decoded.format in _LOSSY
            else "set each pixel to 0 or 255, and resize masks with nearest neighbour only"
        )
        raise InputError(
            f"grey: {grey_share:.1%} of its pixels are neither black nor white, more than {LARGEST_GREY_SHARE:.0%}; "
            f"{remedy}"
        )
    return MaskFile(values >= THRESHOLD, grey_share, exact, zero_one=False)


def mask_notes(masks: Mapping[Path, MaskFile]) -> list[str]:
    """Notes on how masks with values other than 0 and 255 were read."""
    notes = []
    zero_one = sum(mask.zero_one for mask in masks.values())
    if zero_one:
        notes.append(f"masks: {_of(zero_one, len(masks))} hold 0 and 1, read as black and white")
    inexact = {path: mask for path, mask in masks.items() if not mask.exact}
    if inexact:
        worst = max(inexact, key=lambda path: inexact[path].grey_share)
        notes.append(
            f"masks: {_of(len(inexact), len(masks))} hold other values than 0 and 255, thresholded at {THRESHOLD}; "
            f"at most {inexact[worst].grey_share:.1%} of the pixels are grey ({one_line(worst.name)})"
        )
    return notes


def _of(count: int, total: int) -> str:
    return f"all {total}" if count == total else f"{count} of {total}"
