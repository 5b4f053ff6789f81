"""Which images are the same image, by exact pixels: the cleaning of training sets and the audit of test sets."""

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
        InputError: an image is not uint8; 0.5 and 127 are not comparable by bytes.
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
        digests: one per image, as made by `digests`; the training set in the order in which it is to be kept.
        exclude: digests that may not appear at all; those of the test set.

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
