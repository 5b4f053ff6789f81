"""Holes as random walks: irregular masks, deterministic by index, like those of real test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1
"""Version of the masks, part of every cache key: raised whenever any pixel of any mask changes."""

_STREAM = 1  # of Philox's second key word; `catfaces` uses 0, so that hole i knows nothing of face i
_FIRST_WORDS = 192  # of 32 steps each: enough for most holes of 20 % of 64 × 64
_PUSH = 0.19  # puts the mean ratio at 0.54 of the range (0.208), where it lies in 747 real masks


def hole_masks(
    indices: NDArray[np.int64], size: int = 64, hole_ratio: tuple[float, float] = (0.10, 0.30)
) -> NDArray[np.bool_]:
    """Draw one connected hole per index.

    A point starts anywhere and steps one pixel up, down, left or right, each as likely; at the border it
    stays where it is instead of leaving. Every pixel it visits belongs to the hole, and it stops when the hole has
    the size drawn for it: a ratio with mean `low + 0.54 (high - low)`, to the pixel. With the defaults that is
    0.208 on average, the mean of the real masks.

    Args:
        indices: whole numbers ≥ 0, (N,). Mask i depends on i, size and hole_ratio alone.
        size: edge length of the square mask in pixels.
        hole_ratio: smallest and largest share of hole pixels, 0 < low ≤ high < 1.

    Returns:
        bool, (N, size, size), True = hole.

    Raises:
        ValueError: an argument is out of range, or no hole of that size has such a ratio.
    """
    asked = np.asarray(indices)
    low, high = hole_ratio
    if asked.ndim != 1 or (asked.size and asked.dtype.kind not in "iu"):
        raise ValueError(f"indices must be one row of whole numbers, got {asked.dtype} of shape {asked.shape}")
    if asked.size and int(asked.min()) < 0:
        raise ValueError(f"indices must be ≥ 0, got {int(asked.min())}")
    if not 0.0 < low <= high < 1.0:
        raise ValueError(f"hole_ratio must be 0 < low ≤ high < 1, got {hole_ratio}")
    least, most = int(np.ceil(low * size * size)), int(np.floor(high * size * size))
    if not 1 <= least <= most:
        raise ValueError(f"no hole of {size} × {size} pixels has a ratio in {hole_ratio}")
    masks = np.empty((len(asked), size, size), dtype=np.bool_)
    for mask, index in zip(masks, asked.tolist(), strict=True):
        mask[:] = _walk(index, size, least, most)
    return masks


def _walk(index: int, size: int, least: int, most: int) -> NDArray[np.bool_]:
    n_words = _FIRST_WORDS
    while True:
        # the stream starts over, longer: its beginning stays the same
        words = np.random.Philox(key=np.array([index, _STREAM], dtype=np.uint64)).random_raw(5 + n_words)
        uniform = (words[:5] >> np.uint64(11)).astype(np.float64) * 2.0**-53
        pixels = least + int(_share(uniform) * (most - least + 1))
        path = _path(words[5:], int(uniform[3] * size), int(uniform[4] * size), size)
        first_visit = np.full(size * size, len(path))
        first_visit[path[::-1]] = np.arange(len(path))[::-1]  # the last assignment, so the earliest visit, stays
        last = np.partition(first_visit, pixels - 1)[pixels - 1]
        if last < len(path):
            return cast("NDArray[np.bool_]", (first_visit <= last).reshape(size, size))
        n_words *= 2


def _share(uniform: NDArray[np.float64]) -> float:
    """Position of the ratio in its range, in [0, 1): the mean of three uniforms, shifted up a little."""
    share = float(uniform[0] + uniform[1] + uniform[2]) / 3.0
    return share + _PUSH * share * (1.0 - share)


def _path(words: NDArray[np.uint64], x: int, y: int, size: int) -> NDArray[np.int64]:
    """Flat pixel numbers of the walk, (32 · words + 1,).

    A walk that stays in place at a wall has the distribution of a free walk folded at the outer edge of the last pixel
    (positions -1, -2, … are mirrored on 0, 1, …), and a free walk is a running sum.
    """
    steps = (words[:, None] >> np.arange(0, 64, 2, dtype=np.uint64)).reshape(-1) & np.uint64(3)
    upright = (steps & np.uint64(1)).astype(np.int64)
    move = 1 - (steps & np.uint64(2)).astype(np.int64)
    place = []
    for start, motion in ((y, move * upright), (x, move * (1 - upright))):
        free = (start + np.concatenate(([0], np.cumsum(motion)))) % (2 * size)
        place.append(np.minimum(free, 2 * size - 1 - free))
    return cast("NDArray[np.int64]", place[0] * size + place[1])
