"""Eyes, nose, mouth and whiskers."""

from __future__ import annotations

import numpy as np

from maskgit.data.demo.catfaces.chance import Chance, Field, blob, box, paint, ramp, smooth
from maskgit.data.demo.catfaces.coat import WHITE, Coat
from maskgit.data.demo.catfaces.pose import Surface, crop

# RGB of irises: green, yellow, amber, copper, hazel, blue, aqua
_IRIS = np.array(
    [
        [0.52, 0.66, 0.30], [0.82, 0.76, 0.28], [0.85, 0.60, 0.16], [0.70, 0.38, 0.12], [0.62, 0.58, 0.30],
        [0.42, 0.62, 0.86], [0.46, 0.72, 0.66],
    ],
    dtype=np.float32,
)  # fmt: skip
_BLUE = 5
_IRIS_USUAL = (0.27, 0.22, 0.17, 0.09, 0.15, 0.03, 0.07)
_IRIS_POINTS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.1)
_IRIS_WHITE = (0.15, 0.12, 0.12, 0.08, 0.05, 0.38, 0.10)
# RGB of noses: pink, brick, brown, black
_NOSE = np.array([[0.86, 0.58, 0.56], [0.70, 0.38, 0.31], [0.40, 0.25, 0.21], [0.13, 0.10, 0.10]], dtype=np.float32)
_NOSE_BY_COAT = np.array(
    [
        [0.04, 0.04, 0.12, 0.80], [0.08, 0.10, 0.27, 0.55], [0.62, 0.33, 0.04, 0.01], [0.66, 0.25, 0.07, 0.02],
        [0.86, 0.10, 0.02, 0.02], [0.12, 0.62, 0.18, 0.08], [0.16, 0.58, 0.16, 0.10], [0.05, 0.20, 0.60, 0.15],
        [0.45, 0.30, 0.20, 0.05],
    ]
)  # fmt: skip
_RIM = np.array([0.10, 0.07, 0.06], dtype=np.float32)[None, :, None, None]
_PUPIL = np.array([0.02, 0.02, 0.03], dtype=np.float32)[None, :, None, None]
_GLINT = np.array([0.98, 0.99, 1.00], dtype=np.float32)[None, :, None, None]


def paint_eyes(canvas: Field, chance: Chance, s: Surface, coat: Coat) -> None:
    """Lids, iris, pupil and glint, on both sides at once.

    Both eyes share size, lids, pupil and, but for an odd-eyed cat, colour; the glint lies on the same side of both.
    """
    rows, columns = box((np.abs(s.y + 0.16) < 0.5) & (s.width < 0.9))
    s, canvas, hair = crop(s, (rows, columns)), canvas[:, :, rows, columns], coat.hair[:, rows, columns]
    radius = chance.bump(0.150, 0.215)
    a = s.width - chance.bump(0.36, 0.46)
    b = s.y + chance.bump(0.10, 0.24)
    tilt = chance.bump(0.08, 0.50)
    norm = np.sqrt(1.0 + tilt * tilt)
    along = (a - tilt * b) / norm  # from the inner to the outer corner, which lies higher
    over = (b + tilt * a) / norm
    round_eyed = chance.uniform(0.0, 1.0)
    reach = along / (radius * (1.42 - 0.22 * round_eyed))
    gap = 1.0 - reach * reach
    sleepy = chance.happens(0.10) * chance.uniform(0.3, 0.85)
    upper = radius * (0.72 + 0.33 * round_eyed) * (1.0 - sleepy)
    lower = radius * (0.80 + 0.22 * round_eyed) * (1.0 - 0.5 * sleepy)
    opening = np.minimum(over + upper * gap, lower * gap - over)

    dark = chance.uniform(0.55, 0.97)
    paint(canvas, _RIM, ramp(opening + chance.uniform(0.025, 0.055), 0.07) * dark)
    inside = ramp(opening, 0.035)

    white_coat = coat.base == WHITE
    weights = np.where(
        coat.points[:, 0] > 0.0, np.array(_IRIS_POINTS), np.where(white_coat[:, None], _IRIS_WHITE, _IRIS_USUAL)
    )
    kind = chance.choose(weights)
    iris = chance.colour(_IRIS, kind, 0.18)
    odd = chance.happens(np.where(white_coat, 0.12, 0.012))
    odd_kind = np.where(kind == _BLUE, 2, _BLUE)
    left = chance.colour(_IRIS, odd_kind, 0.12)
    iris = iris + (left - iris) * (odd * (s.side < 0.0))[:, None]

    gaze_x, gaze_y = chance.bump(-0.25, 0.25) * radius, chance.bump(-0.15, 0.15) * radius
    px = a - gaze_x * s.side
    py = b - gaze_y
    from_centre = (px * px + py * py) / (radius * radius)
    light = 1.22 - 0.62 * smooth(from_centre * 0.85) - 0.35 * ramp(-(over + upper * gap * 0.45), radius * 0.5)
    light += hair * 0.07
    paint(canvas, iris * light[:, None], inside)

    dilation = chance.uniform(0.0, 1.0)
    dilation = dilation * dilation
    wide = radius * (0.13 + 0.66 * dilation)
    tall = radius * (0.86 - 0.06 * dilation)
    # a slit is a lens: |x| / wide + (y / tall)²; a wide pupil is an ellipse
    qx, qy = px / wide, py / tall
    lens = np.abs(qx) * (1.0 - dilation) + qx * qx * dilation + qy * qy
    pupil = ramp(1.0 - lens, 0.30) * inside
    shine = chance.happens(0.04)  # a flash photograph: the eyeground throws the light back
    paint(canvas, _PUPIL + shine[:, None] * np.float32(0.75) * iris + shine[:, None] * np.float32(0.25), pupil)

    gx, gy = chance.bump(-0.6, 0.6) * radius, chance.uniform(-0.55, -0.15) * radius
    size = radius * chance.uniform(0.20, 0.36)
    dx, dy = a - gx * s.side, b - gy
    glint = smooth((1.25 - (dx * dx + dy * dy) / (size * size)) * 1.2) * inside
    paint(canvas, _GLINT, glint * chance.uniform(0.35, 1.0))


def paint_snout(canvas: Field, chance: Chance, s: Surface, coat: Coat) -> None:
    """Bridge, muzzle cushions, nose, mouth and chin."""
    rows, columns = box((np.abs(s.y - 0.38) < 0.65) & (s.width < 0.5))
    s, canvas, hair = crop(s, (rows, columns)), canvas[:, :, rows, columns], coat.hair[:, rows, columns]
    nose_y = chance.bump(0.24, 0.42)
    y = s.y - nose_y
    # shading along the bridge and below the cushions gives the snout its depth
    bridge = blob(np.square(s.width - 0.17) * 90.0 + np.square(y + 0.22) * 16.0) * 0.16
    cushions = blob(np.square(s.width - 0.17) * 22.0 + np.square(y - 0.17) * 34.0)
    under = blob(s.x * s.x * 9.0 + np.square(y - 0.42) * 60.0) * 0.30
    depth = chance.uniform(0.5, 1.1)
    light = 1.0 + (cushions * 0.20 - bridge - under) * depth
    dots = ramp(hair - 0.75, 0.2) * blob(np.square(s.width - 0.20) * 60.0 + np.square(y - 0.15) * 90.0) * 0.25
    canvas *= (light - dots)[:, None]

    colour = chance.colour(_NOSE, chance.choose(_NOSE_BY_COAT[coat.base]), 0.12)
    half = chance.bump(0.105, 0.155)
    drop = chance.bump(0.11, 0.16)
    # an upside-down triangle with a bowed upper edge
    top = y + 0.055 - 0.25 * s.width * s.width / half
    bottom = (half - s.width) * (drop / half) * 1.15 - (y + 0.02)
    nose = ramp(np.minimum(np.minimum(top, bottom * 0.75), (half - s.width)), 0.035)
    paint(canvas, colour * (1.0 - 0.35 * smooth((y + 0.01) * 9.0) + 0.10 * hair)[:, None], nose)
    nostrils = blob((np.square(s.width - half * 0.48) + np.square(y - 0.035) * 2.2) * 420.0)
    paint(canvas, colour * np.float32(0.22), nostrils * 0.9)

    # mouth: a short line down, then one bow per side
    mouth_y = drop + chance.bump(0.05, 0.11)
    line = ramp(0.012 - s.width, 0.03) * ramp(y - drop * 0.7, 0.03) * ramp(mouth_y - y, 0.03)
    swing = chance.bump(0.09, 0.15)
    reach = (s.width - swing) / swing
    bow = mouth_y + chance.bump(0.02, 0.07) * (1.0 - reach * reach)
    arc = ramp(0.014 - np.abs(y - bow), 0.035) * ramp(swing * 1.9 - s.width, 0.08)
    mouth = np.maximum(line, arc) * chance.uniform(0.45, 0.9)
    paint(canvas, colour * np.float32(0.28) + np.float32(0.03), mouth)


def paint_whiskers(canvas: Field, chance: Chance, s: Surface, coat: Coat) -> None:
    """Four whiskers per side, from the cushions outwards, bending down; different on the two sides."""
    out = s.width - 0.26
    reach = chance.uniform(0.55, 1.05)
    fade = smooth(out * 9.0) * smooth((reach - out) * 3.0)
    bend = chance.uniform(-0.05, 0.35)
    mask = np.zeros_like(out)
    for start, slope in ((0.42, -0.30), (0.46, -0.10), (0.51, 0.10), (0.56, 0.32)):
        tilt = chance.bump(-0.14, 0.14) + slope + s.side * chance.bump(-0.12, 0.12)
        level = s.y - start - out * (tilt + bend * out)
        np.maximum(mask, 1.0 - np.abs(level) * 70.0, out=mask)
    mask *= fade * chance.uniform(0.25, 0.85)
    # on a white cat every other set of whiskers is seen as shadow
    dark = (coat.base == WHITE)[:, None, None] & (chance.uniform(0.0, 1.0) < 0.5)
    bright = np.where(dark, np.float32(0.55), np.float32(0.93))
    paint(canvas, np.broadcast_to(bright[:, None], (chance.n, 3, 1, 1)), mask)
