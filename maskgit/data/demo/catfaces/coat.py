"""Fur: colours, patterns, hair, and the outline of head, ears and body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.demo.catfaces.chance import Chance, Field, blob, paint, ramp, smooth, wave

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from maskgit.data.demo.catfaces.pose import Surface

# The coats: black, blue, ginger, cream, white, brown, silver, chocolate, fawn.
_WEIGHTS = (0.17, 0.13, 0.17, 0.08, 0.08, 0.18, 0.11, 0.04, 0.04)

# RGB of the middle, the dark (stripes, shade) and the light (muzzle, tips of hairs) tone of each coat
_MIDDLE = np.array(
    [
        [0.13, 0.12, 0.12], [0.43, 0.44, 0.47], [0.80, 0.50, 0.25], [0.88, 0.75, 0.59], [0.90, 0.89, 0.87],
        [0.50, 0.39, 0.28], [0.64, 0.63, 0.61], [0.37, 0.24, 0.17], [0.69, 0.59, 0.53],
    ],
    dtype=np.float32,
)  # fmt: skip
_DARK = np.array(
    [
        [0.04, 0.04, 0.04], [0.25, 0.25, 0.28], [0.58, 0.28, 0.10], [0.72, 0.53, 0.36], [0.74, 0.72, 0.71],
        [0.17, 0.12, 0.08], [0.21, 0.20, 0.20], [0.18, 0.10, 0.07], [0.46, 0.36, 0.32],
    ],
    dtype=np.float32,
)  # fmt: skip
_LIGHT = np.array(
    [
        [0.33, 0.31, 0.30], [0.66, 0.68, 0.72], [0.96, 0.80, 0.58], [0.97, 0.91, 0.81], [0.99, 0.98, 0.97],
        [0.79, 0.69, 0.55], [0.88, 0.87, 0.85], [0.60, 0.44, 0.33], [0.86, 0.79, 0.73],
    ],
    dtype=np.float32,
)  # fmt: skip
_POINT = np.array([[0.16, 0.11, 0.09], [0.34, 0.33, 0.36], [0.36, 0.22, 0.15], [0.72, 0.45, 0.26]], dtype=np.float32)
_WHITE = np.array([[0.94, 0.93, 0.91]], dtype=np.float32)
_SKIN = np.array([[0.83, 0.60, 0.56], [0.66, 0.44, 0.41], [0.42, 0.33, 0.32]], dtype=np.float32)

# share of each coat that is striped; ginger and cream cats always are, a little
_TABBY = np.array([0.06, 0.22, 0.92, 0.70, 0.10, 0.93, 0.85, 0.15, 0.40])
BLACK, BLUE, GINGER, CREAM, WHITE, FAWN = 0, 1, 2, 3, 4, 8


@dataclass(frozen=True)
class Coat:
    """The fur, as the other parts need it.

    fur: (n, 3, fine, fine), fur everywhere, as if it covered the whole image. head, ears, body: masks (n, fine, fine).
    ear_skin: mask of the bare inner ear; skin: its colour. hair: strand noise in [-1, 1].
    base: coat number (n,); points: 1 for colour points, (n, 1, 1).
    """

    fur: Field
    head: Field
    ears: Field
    body: Field
    ear_skin: Field
    skin: Field
    hair: Field
    base: NDArray[np.intp]
    points: Field


def _hair(chance: Chance, surface: Surface) -> Field:
    """Strands that run away from the nose, (n, fine, fine) in [-1, 1].

    A table of noise is read by direction (fine) and distance (coarse); the direction is the "diamond angle"
    dx / (|dx| + |dy|), which needs no arctangent.
    """
    n = surface.x.shape[0]
    dx = surface.x
    dy = surface.y - 0.15
    run = np.abs(dx) + np.abs(dy) + 1e-3
    turn = dx / run
    bend = chance.smooth["mottle"][0]
    length = chance.uniform(4.0, 11.0)
    fineness = chance.uniform(34.0, 58.0)
    column = np.floor((turn + 1.0) * fineness * (0.55 + run * 0.6) + bend * 2.0).astype(np.int32) & 63
    row = np.floor(run * length + bend * 1.5 + (column & 3).astype(np.float32) * 0.37).astype(np.int32)
    row += (dy < 0.0) * np.int32(29)
    row &= 63
    flat = row * 64 + column + (np.arange(n, dtype=np.int32) * 4096)[:, None, None]
    return np.take((chance.strands * 2.0 - 1.0).reshape(-1), flat)


def _stripes(chance: Chance, s: Surface) -> Field:
    """The tabby's marks, (n, fine, fine) in [0, 1]: the 'M' on the forehead, lines behind the eyes, cheek bands."""
    wobble = chance.smooth["wobble"][0]
    # forehead: lines fan out from between the eyes
    above = np.maximum(-0.12 - s.y, 0.0)
    fan = s.width / (0.30 + 0.42 * above)
    brow = wave(fan * chance.uniform(2.0, 3.4) + chance.uniform(0.0, 1.0) + wobble * 0.20)
    brow *= smooth(above * 4.5) * smooth((1.25 - fan) * 4.0)
    # cheeks: bands that sweep back from the eye's outer corner and droop
    outward = s.width - 0.40
    bands = wave((s.y + 0.34 * outward * outward) * chance.uniform(3.0, 4.6) + chance.uniform(0.0, 1.0) + wobble * 0.22)
    bands *= smooth(outward * 4.5) * smooth((s.y + 0.30) * 5.0)
    bridge = wave(s.width * 5.5 + 0.5) * blob((s.y + 0.12) * (s.y + 0.12) * 9.0) * 0.5
    return np.maximum(np.maximum(brow, bands * 0.9), bridge)


def _outline(chance: Chance, s: Surface, hair: Field) -> tuple[Field, Field, Field, Field]:
    """Masks of head, ears, body and inner ear."""
    fluff = chance.uniform(0.02, 0.11)
    ragged = hair * fluff * 0.8 + chance.smooth["wobble"][0] * fluff * 0.8
    lower = np.maximum(s.v - 0.25, 0.0)
    wide = s.u * (1.0 + chance.uniform(0.1, 0.55) * lower * lower)
    tall = (s.v - 0.02) * chance.uniform(1.02, 1.16)
    head = ramp(1.0 - np.sqrt(wide * wide + tall * tall) + ragged, 0.05)

    # ears: two edges from the tip down into the head, in mirrored coordinates; the ear turned away is narrower
    across = np.abs(s.u) + 0.28 * s.yaw * s.u
    tip_x, tip_y = chance.bump(0.66, 1.02), chance.bump(-1.62, -1.18)
    folded = chance.happens(0.04)
    tip_y = tip_y + folded * (-0.92 - tip_y)
    near_x, near_y = chance.bump(0.06, 0.28), -0.66
    far_x, far_y = chance.bump(0.92, 1.08), chance.bump(-0.42, -0.10)
    ax, ay = tip_x - near_x, tip_y - near_y
    bx, by = far_x - tip_x, far_y - tip_y
    inner = ((across - near_x) * -ay + (s.v - near_y) * ax) / np.sqrt(ax * ax + ay * ay)
    outer = ((across - tip_x) * -by + (s.v - tip_y) * bx) / np.sqrt(bx * bx + by * by)
    # taking most away where the two edges are equally far rounds the tip
    inside = np.minimum(inner, outer) - 0.008 / (0.10 + np.abs(inner - outer))
    ears = ramp(inside + ragged * 0.4, 0.04)
    skin = ramp(inside - chance.uniform(0.06, 0.12) + hair * 0.04, 0.10)
    tufts = ramp(hair - 0.15 - 3.0 * (inner - outer), 1.2)
    skin *= 1.0 - 0.6 * tufts
    skin *= (1.0 - folded) * ramp(-0.52 - s.v, 0.25)

    bu, bv = s.u / chance.uniform(0.75, 1.45), (s.v - 1.50) / 0.95
    body = ramp(1.0 - np.sqrt(bu * bu + bv * bv) + ragged, 0.07)
    return head, ears, body, skin


def draw_coat(chance: Chance, s: Surface) -> Coat:
    """Draw one coat per image and lay it over the whole image.

    One tone field in [-1, 1] (hair, stripes, muzzle, eye rings) moves the fur from its dark over its middle to its
    light colour. Over that lie, where a cat has them, patches of a second colour, colour points, and white.
    """
    base = chance.choose(_WEIGHTS)
    points = chance.happens(0.09)
    pointed = points[:, 0, 0] > 0.0
    base = np.where(pointed & (base != FAWN), CREAM, base)
    striped = chance.happens(_TABBY[base]) * (1.0 - 0.75 * points)
    ghost = chance.uniform(0.0, 0.22)  # even a solid cat has faint marks
    hair = _hair(chance, s)
    patch_a, patch_b = chance.smooth["patch"]
    mottle = chance.smooth["mottle"][0]

    head, ears, body, ear_skin = _outline(chance, s, hair)

    eye_ring = blob((np.square(s.width - 0.40) + np.square(s.y + 0.16)) * 9.0)
    snout = blob(s.x * s.x * 6.5 + (s.y - 0.52) * (s.y - 0.52) * 11.0)
    pale = chance.uniform(0.15, 0.85)
    tone = hair * chance.uniform(0.22, 0.50) + mottle * chance.uniform(0.05, 0.22) + patch_b * 0.15
    tone += (snout * 1.1 + eye_ring * 0.7) * (pale * (0.35 + 0.65 * striped))
    tone -= _stripes(chance, s) * (striped * chance.uniform(0.65, 1.25) + (1.0 - striped) * ghost)
    np.clip(tone, -1.0, 1.0, out=tone)

    middle = chance.colour(_MIDDLE, base, 0.12)
    fur = np.broadcast_to(middle, (chance.n, 3, *tone.shape[1:])).copy()
    fur += (chance.colour(_DARK, base, 0.10) - middle) * np.maximum(-tone, 0.0)[:, None]
    fur += (chance.colour(_LIGHT, base, 0.05) - middle) * np.maximum(tone, 0.0)[:, None]

    # tortoiseshell: black cats with ginger (or grey with cream) patches, unlike on the two sides
    tortie = chance.happens(np.where(base == BLACK, 0.22, np.where(base == BLUE, 0.12, 0.03)) * ~pointed)
    second = np.where(base == BLUE, CREAM, np.where(base == BLACK, GINGER, BLACK))
    seam = patch_a + chance.smooth["wobble"][0] * 0.35 + hair * 0.10
    where = ramp(seam + s.side * chance.bump(-0.5, 0.5) - chance.uniform(-0.2, 0.3), 0.25)
    ground = tone * 0.38 + 1.0
    paint(fur, chance.colour(_MIDDLE, second, 0.12) * ground[:, None], where * tortie)

    # colour points: dark face and ears; the seam follows the noise
    reach = s.x * s.x * 1.5 + (s.y - 0.18) * (s.y - 0.18) * 1.7
    mask = np.maximum(smooth(1.25 - reach * chance.uniform(1.1, 2.4) + patch_b * 0.2), ears * (1.0 - head))
    shade = chance.colour(_POINT, chance.choose([0.45, 0.25, 0.15, 0.15]), 0.15)
    paint(fur, shade * (1.0 + tone * 0.45)[:, None], mask * (points * chance.uniform(0.75, 0.97)))

    # white: a blaze that widens to the muzzle, chin and chest; or large patches (calico, van)
    splash = chance.happens(np.where(base == WHITE, 0.0, np.where(pointed, 0.1, 0.38)))
    much = chance.uniform(-0.05, 1.0)
    much = np.where(tortie > 0.0, much * 0.6 + 0.35, much)
    below = smooth((s.y + 0.62 - 0.35 * much) * 1.1)
    edge = 0.02 + much * 0.10 + below * (0.10 + 0.55 * much) + patch_a * 0.14 * (0.4 + much) + mottle * 0.05
    blaze = ramp(edge - np.abs(s.x - chance.bump(-0.16, 0.16)), 0.09)
    start = chance.uniform(-1.1, 0.45)  # where the blaze begins: forehead, or only below the nose
    blaze *= ramp(s.y - start + patch_b * 0.15, 0.15)
    chest = ramp(s.v - 0.62 + np.abs(s.u) * 0.2 + patch_a * 0.15, 0.2)
    white = np.maximum(blaze, chest) * splash
    paint(fur, chance.colour(_WHITE, np.zeros_like(base), 0.04) * (0.97 + tone * 0.12)[:, None], white)

    dark_skin = np.isin(base, (BLACK, BLUE))[:, None] * np.array([-0.35, 0.0, 0.5]) + np.array([0.55, 0.35, 0.10])
    skin = chance.colour(_SKIN, chance.choose(dark_skin), 0.12)
    return Coat(fur, head, ears, body, ear_skin, skin, hair, base, points)
