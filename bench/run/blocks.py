"""Blocks: fixed groups of consecutive test images in order of image id, the unit of work, of commit and of resumption."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from bench.store.keys import BlockIdentity
from maskgit.data.dedup import digests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def split(
    test_set: TestSet,
    size: int,
    external: Mapping[str, np.ndarray] | None = None,
    earlier: Sequence[Sequence[int]] = (),
) -> list[Block]:
    """Split a test set, and the `external` images (N, 3, H, W), into blocks of `size` images; the last one may be shorter.

    The leading blocks are those of `earlier`, the image ids of the blocks of an earlier run, as far as they agree with
    the test set and are not larger than `size`: so the stored work of these images stays valid when images are added.
    """
    return [
        Block(
            test_set.image_ids[cut],
            test_set.masked[cut],
            test_set.hole[cut],
            test_set.truth[cut],
            test_set.pixel_sha256[cut],
            {name: images[cut] for name, images in (external or {}).items()},
        )
        for cut in _cuts(test_set.image_ids.tolist(), size, earlier)
    ]


def _cuts(image_ids: list[int], size: int, earlier: Sequence[Sequence[int]]) -> list[slice]:
    cuts, start = [], 0
    for block in earlier:
        end = start + len(block)
        if not 0 < len(block) <= size or image_ids[start:end] != list(block):
            break
        cuts.append(slice(start, end))
        start = end
    return cuts + [slice(at, at + size) for at in range(start, len(image_ids), size)]
