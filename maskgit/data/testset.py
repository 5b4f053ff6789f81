"""A masked test set: images, holes and ground truth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.demo import catfaces, walks
from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOLE_GREY = 128
"""Value with which holes are painted if no masked images are given; the lab's grey."""


@dataclass(frozen=True, eq=False)
class TestSet:
    """N masked images in ascending order of their ids.

    Attributes:
        name: Shown in reports.
        image_ids: int64, (N,), ascending; the numbers in the file names.
        masked: uint8, (N, 3, H, W), the hole painted over.
        hole: bool, (N, H, W), True = repaint.
        truth: uint8, (N, 3, H, W).
        sources: Source of each part.
        pixel_sha256: One per image, over the bytes of `masked` and then of `hole`.
        notes: Notes on how the files were read, if that was decided by the content or is unusual.
    """

    __test__ = False  # the name starts like a test class's, and pytest would collect it

    name: str
    image_ids: NDArray[np.int64]
    masked: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    truth: NDArray[np.uint8]
    sources: dict[str, str]
    pixel_sha256: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)


def make_test_set(
    name: str,
    image_ids: NDArray[np.int64],
    truth: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    sources: dict[str, str],
    masked: NDArray[np.uint8] | None = None,
    notes: tuple[str, ...] = (),
) -> TestSet:
    """Build a test set; without masked images, holes are painted grey 128 over the ground truth.

    Arguments are the attributes of `TestSet`.
    """
    if masked is None:
        masked = np.where(hole[:, None], np.uint8(HOLE_GREY), truth)
        sources = {**sources, "masked_images": f"ground_truth with the hole painted {HOLE_GREY}"}
    pixel_sha256 = tuple(
        hashlib.sha256(image.tobytes() + h.tobytes()).hexdigest() for image, h in zip(masked, hole, strict=True)
    )
    return TestSet(name, image_ids, masked, hole, truth, sources, pixel_sha256, notes)


def catfaces_test_set(count: int = 256, size: int = catfaces.SIZES[0]) -> TestSet:
    """Render the built-in test set: the first `count` test faces of `catfaces` under random-walk holes.

    Its image ids are 0…count − 1; a larger count appends images and changes none. `size` is the edge length in pixels.

    Raises:
        InputError: count is not in 1…the number of test faces, or there are no faces of this size.
    """
    faces = catfaces.SPLITS["test"]
    if not 1 <= count <= len(faces):
        raise InputError(f"catfaces: count must be 1…{len(faces)}, got {count}")
    if size not in catfaces.SIZES:
        raise InputError(f"data.size: catfaces are {' or '.join(map(str, catfaces.SIZES))} pixels wide, got {size}")
    indices = np.arange(faces.start, faces.start + count, dtype=np.int64)
    truth = catfaces.render(indices, size)
    hole = walks.hole_masks(indices, size)
    sources = {
        "ground_truth": f"catfaces version {catfaces.VERSION}, indices {indices[0]}…{indices[-1]}",
        "masks": f"random walks version {walks.VERSION}, the same indices",
    }
    return make_test_set("catfaces", np.arange(count, dtype=np.int64), truth, hole, sources)
