"""Pose of the head: maps every pixel to a place on the face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from maskgit.data.demo.catfaces.chance import Chance, Field, centres


@dataclass(frozen=True)
class Surface:
    """Face coordinates of every pixel, (n, fine, fine) each; head radius 1, origin between eyes and nose, y down.

    u, v: in the plane of the image, roll, scale and shift undone. x, y: on the face, yaw and pitch undone too.
    width: |x|, for what is mirrored; side: +1 right of the nose line, -1 left. height: of the dome, 0 to 1.
    """

    u: Field
    v: Field
    x: Field
    y: Field
    width: Field
    side: Field
    height: Field
    yaw: Field


def crop(surface: Surface, box: tuple[slice, slice]) -> Surface:
    """The surface restricted to a rectangle of the image."""
    rows, columns = box
    fields = {
        name: getattr(surface, name)[:, rows, columns] for name in ("u", "v", "x", "y", "width", "side", "height")
    }
    return replace(surface, **fields)


def draw_surface(chance: Chance) -> Surface:
    """Draw one pose per image and unproject the pixels.

    The head is a dome of height h = max(0, 1 - r² / 1.3). Turning it moves a point in proportion to its height:
    x = u - yaw · h, so that the nose moves most, the outline not at all, and the side turned away is foreshortened.
    """
    axis = centres(chance.fine)
    scale = chance.bump(0.76, 1.16)
    left = axis[None, None, :] - chance.bump(-0.16, 0.16)
    top = axis[None, :, None] - chance.bump(-0.06, 0.26)
    tangent = chance.bump(-0.34, 0.34)
    norm = scale * np.sqrt(1.0 + tangent * tangent)
    across = chance.bump(0.94, 1.16)
    u = (left + tangent * top) / (norm * across)
    v = (top - tangent * left) / norm
    height = np.maximum(1.0 - (u * u + v * v) * np.float32(1 / 1.3), 0.0)
    yaw = chance.bump(-0.42, 0.42)
    x = u - yaw * height
    y = v - chance.bump(-0.16, 0.16) * height
    side = np.copysign(np.float32(1.0), x)
    return Surface(u, v, x, y, np.abs(x), side, height, yaw)
