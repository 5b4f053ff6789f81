"""`catfaces`: a built-in, procedural data set of cat faces, 64 × 64 or 128 × 128, needing no file and no download.

    from maskgit.data.demo import catfaces
    images = catfaces.render(np.arange(16))          # uint8, (16, 3, 64, 64)

Image i depends on i and the size alone: not on the batch it is rendered in, the order, NumPy's version or the CPU (see
`chance`). At 128 pixels it is the same scene, with more detail and other sensor noise.

The scene, in the order it is painted (each module draws its own parameters):

- `photo.background`: a gradient, soft blobs, boards.
- `pose`: shift, scale, roll; yaw and pitch move the features over a dome and foreshorten the far side.
- `coat`: nine coat colours; solid, tabby (forehead 'M', cheek bands), tortoiseshell, white blaze or patches, colour
  points; strands of hair that run away from the nose; ragged outlines of head, ears and body.
- `photo.place_cat`: body, ears (fur and bare skin) and head over the background, lit as a dome.
- `features`: eyes (lids, rim, iris, pupil from slit to round, glint), nose, muzzle, mouth, whiskers.
- `photo.expose`: focus, colour temperature, exposure, vignette, saturation, sensor noise, 8 bits.

Both eyes share their size, lids, pupil and (but for an odd-eyed cat) colour, the ears their shape and skin, the
two cheeks their stripes, while eye colour and nose follow the coat: the contents of a hole can be inferred from its
surroundings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.demo.catfaces import chance as _chance
from maskgit.data.demo.catfaces import coat, features, photo, pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1
"""Version of the images, part of every cache key: raised whenever any byte of any image changes."""

SPLITS: dict[str, range] = {
    "train": range(20_000),
    "val": range(20_000, 21_000),
    "test": range(1_000_000, 2_000_000),
}
"""Disjoint index ranges. A test set of n images is the first n of `SPLITS["test"]`."""


SIZES = _chance.SIZES
"""Edge lengths in pixels."""


def render(indices: NDArray[np.int64], size: int = SIZES[0], *, chunk: int = 4) -> NDArray[np.uint8]:
    """Render the cat faces of the given indices.

    Args:
        indices: whole numbers ≥ 0, (N,), in any order, repeats allowed.
        size: Edge length in pixels, one of `SIZES`.
        chunk: images worked on together; it changes memory and speed, no byte of the result.

    Returns:
        RGB, uint8, (N, 3, size, size).

    Raises:
        ValueError: indices are not one row of whole numbers ≥ 0, the size is unknown, or chunk < 1.
    """
    asked = np.asarray(indices)
    if asked.ndim != 1 or (asked.size and asked.dtype.kind not in "iu"):
        raise ValueError(f"indices must be one row of whole numbers, got {asked.dtype} of shape {asked.shape}")
    if asked.size and int(asked.min()) < 0:
        raise ValueError(f"indices must be ≥ 0, got {int(asked.min())}")
    if size not in SIZES:
        raise ValueError(f"size must be one of {SIZES}, got {size}")
    if chunk < 1:
        raise ValueError(f"chunk must be ≥ 1, got {chunk}")
    numbers = asked.astype(np.int64)
    out = np.empty((len(numbers), 3, size, size), dtype=np.uint8)
    for start in range(0, len(numbers), chunk):
        out[start : start + chunk] = _render(numbers[start : start + chunk], size)
    return out


def _render(indices: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    chance = _chance.Chance(indices, size)
    surface = pose.draw_surface(chance)
    fur = coat.draw_coat(chance, surface)
    canvas = photo.background(chance)
    photo.place_cat(canvas, chance, surface, fur)
    features.paint_snout(canvas, chance, surface, fur)
    features.paint_eyes(canvas, chance, surface, fur)
    features.paint_whiskers(canvas, chance, surface, fur)
    return photo.expose(canvas, chance)
