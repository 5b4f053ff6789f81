"""Blocks: fixed groups of consecutive test images in order of image id, the unit of work, of commit and of resumption."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from bench.store.keys import BlockIdentity
from maskgit.data.dedup import digests

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from maskgit.data.testset import TestSet


@dataclass(frozen=True)
class Block:
    """B consecutive test images.

    image_ids (B,) int64 · masked (B, 3, H, W) uint8 · hole (B, H, W) bool, True = repaint · truth (B, 3, H, W) uint8 ·
    external: the block as inpainted by other programs, (B, 3, H, W) uint8 by name.
    """

    image_ids: np.ndarray
    masked: np.ndarray
    hole: np.ndarray
    truth: np.ndarray
    pixels: tuple[str, ...]
    external: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def identity(self) -> BlockIdentity:
        """Content of the block, for keys."""
        return BlockIdentity(tuple(int(i) for i in self.image_ids), self.pixels, tuple(digests(self.truth)))


def split(test_set: TestSet, size: int, external: Mapping[str, np.ndarray] | None = None) -> list[Block]:
    """Split a test set, and the `external` images (N, 3, H, W), into blocks of `size` images; the last one may be shorter."""
    cuts = [slice(start, start + size) for start in range(0, len(test_set.image_ids), size)]
    return [
        Block(
            test_set.image_ids[cut],
            test_set.masked[cut],
            test_set.hole[cut],
            test_set.truth[cut],
            test_set.pixel_sha256[cut],
            {name: images[cut] for name, images in (external or {}).items()},
        )
        for cut in cuts
    ]
