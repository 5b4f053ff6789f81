"""Randomness by index, and the few numeric helpers of the renderer.

Everything here, and in the rest of the package, uses only operations that IEEE 754 rounds correctly
(+, -, *, /, sqrt, min, max, abs, floor) on single elements: no sin, exp or power, no matrix product, no
reduction over an axis. Such a program gives the same bits for any batch, SIMD width or CPU.
For the same reason the raw words of Philox are used (a fixed stream) instead of the distributions of
`numpy.random.Generator`, which may change between NumPy versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Field = NDArray[Any]  # NumPy's stubs take float32 times a Python number for float64; it is float32
"""Float32: (n, 1, 1) for a number per image, (n, S, S) for an image-sized field, (n, 3, …) for colours."""

SIZES = (64, 128)
"""Edge lengths of the images, in pixels; the first is the default."""
SUPERSAMPLING = 2

_PARAMETERS = 320
_STRANDS = 64 * 64
_LATTICES = {"patch": (5, 2), "wobble": (10, 1), "mottle": (24, 1)}


class Chance:
    """The random numbers of n images: a row of parameters, smooth noise, hair noise, sensor noise.

    Each image reads its own Philox stream, keyed by (index, 0), from the start; parameters are handed out one
    column at a time, in the order of the calls. The sensor noise comes last: it alone depends on the size.
    """

    def __init__(self, indices: NDArray[np.int64], size: int) -> None:
        self.size = size
        self.fine = size * SUPERSAMPLING
        lattice_bytes = sum(side * side * count for side, count in _LATTICES.values())
        n_bytes = _STRANDS + lattice_bytes + 3 * size * size
        n_words = _PARAMETERS + -(-n_bytes // 8)
        words = np.empty((len(indices), n_words), dtype="<u8")
        for row, index in zip(words, indices.tolist(), strict=True):
            row[:] = np.random.Philox(key=np.array([index, 0], dtype=np.uint64)).random_raw(n_words)
        self.n = len(indices)
        # 53 high bits: uniform on [0, 1), exact in float64
        self._uniform = (words[:, :_PARAMETERS] >> np.uint64(11)).astype(np.float64) * 2.0**-53
        self._column = 0
        noise = words[:, _PARAMETERS:].copy().view(np.uint8).astype(np.float32) / np.float32(255.0)
        strands, lattices, sensor = np.split(noise[:, :n_bytes], [_STRANDS, _STRANDS + lattice_bytes], axis=1)
        self.strands = strands  # (n, 64·64) in [0, 1]
        self.sensor = sensor.reshape(self.n, 3, size, size)  # in [0, 1]
        self.smooth: dict[str, list[Field]] = {}  # each (n, fine, fine) in [-1, 1]
        start = 0
        for name, (side, count) in _LATTICES.items():
            self.smooth[name] = []
            for _ in range(count):
                lattice = lattices[:, start : start + side * side].reshape(self.n, side, side)
                self.smooth[name].append(stretch(lattice * 2.0 - 1.0, self.fine))
                start += side * side

    def _next(self) -> NDArray[np.float64]:
        column = self._uniform[:, self._column]
        self._column += 1
        return column

    def uniform(self, low: float, high: float) -> Field:
        """Uniform on [low, high), (n, 1, 1)."""
        return (low + (high - low) * self._next()).astype(np.float32)[:, None, None]

    def bump(self, low: float, high: float) -> Field:
        """Triangular on [low, high), most likely in the middle, (n, 1, 1)."""
        return (low + (high - low) * 0.5 * (self._next() + self._next())).astype(np.float32)[:, None, None]

    def happens(self, probability: float | NDArray[np.float64]) -> Field:
        """1 with the given probability (one number, or one per image), else 0, (n, 1, 1)."""
        return (self._next() < probability).astype(np.float32)[:, None, None]

    def choose(self, weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.intp]:
        """Index into `weights` (K,) or (n, K), drawn in proportion to them, (n,)."""
        table = np.broadcast_to(np.asarray(weights, dtype=np.float64), (self.n, np.shape(weights)[-1]))
        total = np.zeros(self.n)
        cumulative = []
        for k in range(table.shape[1]):
            total = total + table[:, k]
            cumulative.append(total)
        mark = self._next() * total
        drawn = np.zeros(self.n, dtype=np.intp)
        for limit in cumulative[:-1]:
            drawn += mark >= limit
        return drawn

    def colour(self, table: NDArray[np.float32], rows: NDArray[np.intp], jitter: float) -> Field:
        """Rows of a (K, 3) table of RGB in [0, 1], each channel and the whole scaled by up to ±jitter, (n, 3, 1, 1)."""
        scale = 1.0 + jitter * (2.0 * self._next()[:, None] - 1.0)
        tint = np.stack([1.0 + 0.25 * jitter * (2.0 * self._next() - 1.0) for _ in range(3)], axis=1)
        return (table[rows] * scale * tint).astype(np.float32)[:, :, None, None]


def stretch(lattice: Field, size: int) -> Field:
    """Smooth interpolation of a lattice (n, k, k) to a field (n, size, size)."""
    k = lattice.shape[-1]
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32((k - 1) / size)
    left = np.minimum(at.astype(np.intp), k - 2)
    part = at - left.astype(np.float32)
    part = part * part * (3.0 - 2.0 * part)
    rows = lattice[:, left] + (lattice[:, left + 1] - lattice[:, left]) * part[:, None]
    low = rows[:, :, left]
    return cast("Field", low + (rows[:, :, left + 1] - low) * part)


def centres(size: int) -> Field:
    """Centres of `size` pixels in a row over [-1, 1], (size,)."""
    return cast("Field", (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2.0 / size) - 1.0)


def ramp(value: Field, width: float | Field) -> Field:
    """0 below -width / 2, 1 above width / 2, straight between: an anti-aliased step at 0."""
    out = value / width
    out += 0.5
    return np.clip(out, 0.0, 1.0, out=out)


def smooth(value: Field) -> Field:
    """Smoothstep of a value cut to [0, 1]."""
    cut = np.clip(value, 0.0, 1.0)
    return cast("Field", cut * cut * (3.0 - 2.0 * cut))


def wave(phase: Field) -> Field:
    """Period 1: 1 at whole numbers, 0 half way between, smooth (used instead of a cosine)."""
    return smooth(np.abs(phase - np.floor(phase) - 0.5) * 2.0)


def blob(distance_squared: Field) -> Field:
    """Bell of radius 1: (1 - d²)², and 0 outside."""
    cut = np.maximum(1.0 - distance_squared, 0.0)
    return cut * cut


def box(mask: Field | NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle that holds all of (n, S, S) that is not 0; everything if all is 0."""
    marked: NDArray[np.bool_] = np.any(mask, axis=0)
    slices = []
    for axis in (1, 0):
        line: NDArray[np.bool_] = np.any(marked, axis=axis)
        slices.append(slice(int(line.argmax()), len(line) - int(line[::-1].argmax())))
    return slices[0], slices[1]


def paint(canvas: Field, colour: Field, mask: Field) -> None:
    """Lay a colour (n, 3, 1, 1) or image (n, 3, S, S) on the canvas (n, 3, S, S), in place, by mask (n, S, S).

    Only the rectangle outside of which every mask is 0 is touched, which is where the time goes.
    """
    rows, columns = box(mask)
    part = canvas[:, :, rows, columns]
    difference = (colour if colour.shape[-1] == 1 else colour[:, :, rows, columns]) - part
    difference *= mask[:, None, rows, columns]
    part += difference
