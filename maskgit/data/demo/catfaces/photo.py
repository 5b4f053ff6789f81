"""Background, light and camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.demo.catfaces.chance import SUPERSAMPLING, Chance, Field, blob, centres, paint, smooth, wave

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from maskgit.data.demo.catfaces.coat import Coat
    from maskgit.data.demo.catfaces.pose import Surface

_WALLS = np.array(
    [
        [0.80, 0.78, 0.74], [0.55, 0.52, 0.48], [0.22, 0.20, 0.20], [0.42, 0.52, 0.34], [0.38, 0.46, 0.60],
        [0.62, 0.40, 0.30], [0.70, 0.62, 0.48], [0.60, 0.34, 0.40], [0.93, 0.93, 0.93], [0.30, 0.38, 0.40],
    ],
    dtype=np.float32,
)  # fmt: skip
_EVEN = np.ones(len(_WALLS))


def background(chance: Chance) -> Field:
    """Two colours in a gradient, three soft blobs, and a texture of boards or weave, (n, 3, fine, fine).

    It is out of focus, so it is made at the final size and doubled.
    """
    axis = centres(chance.size)
    x, y = axis[None, None, :], axis[None, :, None]
    first = chance.colour(_WALLS, chance.choose(_EVEN), 0.25)
    second = chance.colour(_WALLS, chance.choose(_EVEN), 0.25)
    blend = smooth(0.5 + x * chance.uniform(-0.9, 0.9) + y * chance.uniform(-0.9, 0.9))
    canvas = first + (second - first) * blend[:, None]
    for _ in range(3):
        dx, dy = x - chance.uniform(-1.1, 1.1), y - chance.uniform(-1.1, 1.1)
        size = chance.uniform(0.25, 0.9)
        colour = chance.colour(_WALLS, chance.choose(_EVEN), 0.3)
        spot = np.minimum(blob((dx * dx + dy * dy) / (size * size)) * chance.uniform(1.0, 5.0), 1.0)
        paint(canvas, colour, spot * chance.uniform(0.0, 0.9))
    slant = chance.uniform(-0.6, 0.6)
    upright = chance.happens(0.5)
    across = (x + slant * y) * upright + (y + slant * x) * (1.0 - upright)
    boards = wave(across * chance.uniform(2.0, 9.0)) * chance.happens(0.45) * chance.uniform(0.05, 0.25)
    canvas *= (1.0 - boards)[:, None]
    return np.repeat(np.repeat(canvas, SUPERSAMPLING, axis=2), SUPERSAMPLING, axis=3)


def place_cat(canvas: Field, chance: Chance, s: Surface, coat: Coat) -> None:
    """Body, ears and head over the background, each shaded, in place.

    A dome lit from one side: brightness falls with the distance from the light and towards the outline.
    """
    light_x, light_y = chance.bump(-0.32, 0.32), chance.uniform(-0.24, 0.06)
    form = chance.uniform(0.25, 0.60)
    shade = 1.02 - form * (1.0 - s.height) * 0.55 + s.u * light_x + s.v * light_y
    chin = blob(s.u * s.u * 0.7 + np.square(s.v - 0.95) * 3.0) * 0.45
    paint(canvas, coat.fur * (shade * 0.82 - chin)[:, None], coat.body)
    paint(canvas, coat.fur * (shade * 0.98 + 0.10)[:, None], coat.ears)
    fold = 0.92 + 0.25 * coat.hair - 0.30 * smooth(s.v + 1.0)
    paint(canvas, coat.skin * fold[:, None], coat.ear_skin)
    paint(canvas, coat.fur * shade[:, None], coat.head)


def expose(canvas: Field, chance: Chance) -> NDArray[np.uint8]:
    """Average down, light, vignette, focus, sensor noise, 8 bits: (n, 3, size, size)."""
    axis = centres(chance.size)
    x, y = axis[None, None, :], axis[None, :, None]
    small = canvas[:, :, 0::2, 0::2] + canvas[:, :, 0::2, 1::2] + canvas[:, :, 1::2, 0::2] + canvas[:, :, 1::2, 1::2]
    small *= 0.25

    # focus: blend with a 3 × 3 tent
    soft = np.maximum(chance.bump(-0.7, 0.9), 0.0)[:, None]
    wide = np.pad(small, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    tent = wide[:, :, :-2] + 2.0 * wide[:, :, 1:-1] + wide[:, :, 2:]
    tent = tent[..., :-2] + 2.0 * tent[..., 1:-1] + tent[..., 2:]
    small += (tent * np.float32(1 / 16) - small) * soft

    # colour temperature, saturation (few images have none), exposure, contrast, vignette
    warm, tint = chance.bump(-0.10, 0.15), chance.bump(-0.04, 0.04)
    gain = np.concatenate([1.0 + warm, 1.0 + tint, 1.0 - warm], axis=1)[..., None]
    fall = 1.0 - chance.uniform(0.0, 0.22) * (x * x + y * y)
    gradient = 1.0 + x * chance.bump(-0.25, 0.25) + y * chance.bump(-0.15, 0.15)
    small *= gain * (fall * gradient * chance.bump(0.74, 1.28))[:, None]
    grey = (0.3 * small[:, 0] + 0.59 * small[:, 1] + 0.11 * small[:, 2])[:, None]
    saturation = (chance.bump(0.60, 1.20) * (1.0 - chance.happens(0.02)))[:, None]
    small = grey + (small - grey) * saturation
    small = (small - 0.45) * chance.bump(0.85, 1.25)[:, None] + 0.45

    noise = chance.sensor - 0.5
    common = noise[:, :1] * 0.6 + noise[:, 1:2] * 0.4
    strength = chance.uniform(0.0, 1.0)
    small += (common + noise * 0.4) * (0.012 + 0.075 * strength * strength * strength)[:, None]
    return np.floor(np.clip(small, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
