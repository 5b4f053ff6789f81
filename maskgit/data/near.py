"""Find near-duplicates by a perceptual hash; queries are also mirrored and shifted.

An image is reduced to a 64 × 64 grey thumbnail, and the thumbnail to the signs of its 16 × 16 lowest DCT coefficients
relative to their median: the pHash of `imagehash`, 256 bits. Aligned faces are similar anyway: a threshold loose enough for
a copy shifted by two pixels would also match other cats of the same colours. So the threshold is strict, and the query is
mirrored and shifted instead: 2 mirrorings × 5 × 5 shifts, of which the nearest counts.

Error rates at the default threshold, from `python tools/near_duplicates.py FOLDER` on 8,244 distinct photographs of cats
with 1,000 of them as queries, and the same on `catfaces` (without a folder, `--images 8244`):
18 and 0 false matches among 8,243,000 pairs (of 1.7 % and 0 % of the images; by eye the 18 are true near-copies).
Found: 100 % of mirrored, JPEG 75, JPEG 50, brightened and enlarged copies and of those shifted by 1 px, at least 99.5 %
of those shifted by 2 px; hardly any rotated copies, and about a quarter of those cropped by 2 px. `docs/audit.md` has more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskgit.extras import optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH = "phash"
HASH_SIDE = 16
BITS = HASH_SIDE**2
SIDE = 64
"""Side of the thumbnail in pixels."""
SHIFT = 2
"""Largest shift of the query along each axis, in thumbnail pixels: 2/64 of the image."""
THRESHOLD = 40
"""Most bits of 256 in which two near-duplicates may differ."""

_PAIRS = 2**16  # compared at once: fits into a core's cache

Hashes = NDArray[np.uint64]


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink or enlarge an image, uint8 (3, H, W), to a grey one, uint8 (64, 64); the aspect ratio is not kept."""
    rgb = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    return np.asarray(rgb.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def hashes(thumbnails: Iterable[NDArray[np.uint8]]) -> Hashes:
    """Hash thumbnails, uint8 (64, 64) each.

    Returns:
        uint64, (N, 4): 256 bits per image.
    """
    rows = [_hash(thumb) for thumb in thumbnails]
    return np.stack(rows) if rows else np.empty((0, BITS // 64), np.uint64)


def query_hashes(thumbnails: Sequence[NDArray[np.uint8]]) -> Hashes:
    """Hash thumbnails in all query variants: unchanged and mirrored, each at all shifts.

    Returns:
        uint64, (N, 50, 4).
    """
    rows = [hashes(_variants(thumb)) for thumb in thumbnails]
    return np.stack(rows) if rows else np.empty((0, 2 * (2 * SHIFT + 1) ** 2, BITS // 64), np.uint64)


def distances(queries: Hashes, keys: Hashes) -> NDArray[np.uint16]:
    """Count the differing bits between images, for the query's nearest variant.

    Args:
        queries: uint64, (N, V, W).
        keys: uint64, (M, W).

    Returns:
        uint16, (N, M), 0…256. Not symmetric: only the query is mirrored and shifted.
    """
    N, V, W = queries.shape
    out = np.empty((N, len(keys)), np.uint16)
    step = max(1, _PAIRS // max(1, V * len(keys)))
    for start in range(0, N, step):
        part = queries[start : start + step]
        bits = np.zeros((len(part), V, len(keys)), np.uint16)
        for word in range(W):
            bits += np.bitwise_count(part[:, :, word, None] ^ keys[:, word])
        out[start : start + step] = bits.min(1)
    return out


def require_hash() -> Any:
    """Import the module imagehash.

    Raises:
        InputError: It is not installed.
    """
    return optional("imagehash", "the search for near-copies")


def _hash(thumb: NDArray[np.uint8]) -> Hashes:
    bits = require_hash().phash(Image.fromarray(thumb), hash_size=HASH_SIDE).hash
    return np.packbits(bits).view(np.uint64)


def _variants(thumb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    padded = np.pad(thumb, SHIFT, mode="edge")
    moves = range(2 * SHIFT + 1)
    shifted = [padded[y : y + SIDE, x : x + SIDE] for y in moves for x in moves]
    return [np.ascontiguousarray(variant) for moved in shifted for variant in (moved, moved[:, ::-1])]
