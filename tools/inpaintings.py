"""Versions of a masked test set with a clear order of quality: good and bad fillings of its holes, and damaged images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from maskgit import inpaint, load_model
from maskgit.tiles import tiled
from tools.damages import blur, hole_grown, hole_share, jpeg, noise

if TYPE_CHECKING:
    from maskgit.data.testset import TestSet

TILE = 32
GRAIN = 16.0
"""Standard deviation, in grey levels, of the noise added to grey holes."""

Versions = dict[str, Tensor]
"""Images (N, 3, H, W) uint8 by name."""

PAIRS: tuple[tuple[str, str], ...] = (
    # worse, better: across kinds of damage
    ("grey holes", "Telea"),
    ("grey holes", "half grey"),
    ("grey holes", "one step, pasted"),
    ("grey holes", "twelve steps, pasted"),
    ("grey holes", "reconstruction, pasted"),
    ("grey holes", "blurred holes"),
    ("mean colour", "Telea"),
    ("another cat", "flipped"),
    ("another cat", "twelve steps, pasted"),
    ("another cat", "blurred holes"),
    ("flipped", "reconstruction, pasted"),
    ("Telea", "reconstruction, pasted"),
    ("one step", "twelve steps"),
    ("one step, pasted", "twelve steps, pasted"),
    ("twelve steps", "reconstruction"),
    ("twelve steps, pasted", "reconstruction, pasted"),
    ("twelve steps", "twelve steps, pasted"),
    ("reconstruction", "reconstruction, pasted"),
    ("blur 2", "blurred holes"),
    ("noise 64", "noisy holes"),
    # by severity
    ("blur 1", "blur 0.5"),
    ("blur 2", "blur 1"),
    ("blur 4", "blur 2"),
    ("noise 16", "noise 4"),
    ("noise 64", "noise 16"),
    ("JPEG 50", "JPEG 90"),
    ("JPEG 10", "JPEG 50"),
    ("share 0.6", "share 0.2"),
    ("grey holes", "share 0.6"),
    ("grown 8", "grown 1"),
)


def without_model(test_set: TestSet) -> Versions:
    """All versions that need no model; the test set must have ground truth."""
    truth, masked = torch.from_numpy(test_set.truth), torch.from_numpy(test_set.masked)
    hole = torch.from_numpy(test_set.hole)[:, None]
    known = (~hole).float()
    mean = (truth * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)

    def into_hole(filling: Tensor, images: Tensor) -> Tensor:
        return torch.where(hole, filling, images)

    damaged = {
        f"{name} {level:g}": damage(truth, level, hole)
        for name, damage, levels in (
            ("blur", blur, (0.5, 1, 2, 4)),
            ("noise", noise, (4, 16, 64)),
            ("JPEG", jpeg, (90, 50, 10)),
            ("share", hole_share, (0.2, 0.6)),
            ("grown", hole_grown, (1, 8)),
        )
        for level in levels
    }
    return {
        "truth": truth,
        "grey holes": masked,
        "grainy holes": into_hole(noise(masked, GRAIN, hole), masked),
        "half grey": hole_share(truth, 0.5, hole),
        "mean colour": into_hole(mean.round().to(torch.uint8), truth),
        "another cat": into_hole(truth.roll(1, 0), truth),
        "flipped": into_hole(truth.flip(3), truth),
        "blurred holes": into_hole(blur(truth, 2, hole), truth),
        "noisy holes": into_hole(noise(truth, 64, hole), truth),
        "Telea": telea(masked, test_set.hole),
        **damaged,
    }


def with_model(test_set: TestSet, checkpoint: str) -> Versions:
    """A model's versions of the test set, as decoded and with the known pixels pasted back, by the lab's decoding rule."""
    model = load_model(checkpoint, "cpu")
    truth, hole = torch.from_numpy(test_set.truth), torch.from_numpy(test_set.hole)

    def decoded_in(steps: int) -> Tensor:
        ids = test_set.image_ids.tolist()
        return inpaint(model, truth, hole, total_iter=steps, rule="lab", image_ids=ids, tile=TILE)

    decoded = {
        "reconstruction": tiled(lambda images: model.render(model.encode(images)), truth, TILE),
        "one step": decoded_in(1),
        "twelve steps": decoded_in(12),
    }
    return decoded | {f"{name}, pasted": torch.where(hole[:, None], x, truth) for name, x in decoded.items()}


def telea(masked: Tensor, hole: np.ndarray) -> Tensor:
    """Classical inpainting (Telea 2004), radius 3 px, of images (N, 3, H, W) uint8 in holes (N, H, W) bool."""
    filled = [
        cv2.inpaint(np.ascontiguousarray(image), h.astype(np.uint8), 3.0, cv2.INPAINT_TELEA)
        for image, h in zip(masked.permute(0, 2, 3, 1).numpy(), hole, strict=True)
    ]
    return torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).contiguous()
