"""Find images with exactly equal pixels, to clean training sets and audit test sets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


def digests(images: np.ndarray | Iterable[np.ndarray]) -> list[str]:
    """Fingerprint each image by its pixels alone: file name, format and compression do not count.

    Args:
        images: uint8 (N, 3, H, W), or any iterable of uint8 (3, H, W), so that a folder need not fit in memory.

    Returns:
        One sha256 (64 hex digits) per image, over its shape and its pixels in channel-height-width order.

    Raises:
        InputError: an image is not uint8; floats and bytes of equal images would differ.
    """
    return [_digest(image) for image in images]


def _digest(image: np.ndarray) -> str:
    if image.dtype != np.uint8:
        raise InputError(f"pixels to fingerprint must be uint8, got {image.dtype}; convert to 0…255 first")
    # The shape is hashed too: two plain images of different sizes may hold the same bytes.
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def keep_distinct(digests: Sequence[str], exclude: Collection[str] = frozenset()) -> tuple[np.ndarray, int, int]:
    """Choose the first copy of every image that is not excluded.

    Args:
        digests: one per image, from `digests`; of equal images, the first is kept.
        exclude: digests that must not appear at all, such as those of the test set.

    Returns:
        kept: int64 (K,), ascending indices into `digests`.
        duplicates: images dropped because an earlier kept image has the same pixels.
        excluded: images dropped because they are in `exclude`, every copy counted.
        K + duplicates + excluded = len(digests), always.
    """
    seen: set[str] = set()
    forbidden = frozenset(exclude)
    kept: list[int] = []
    excluded = 0
    for index, digest in enumerate(digests):
        if digest in forbidden:
            excluded += 1
        elif digest not in seen:
            seen.add(digest)
            kept.append(index)
    return np.array(kept, dtype=np.int64), len(digests) - excluded - len(kept), excluded
