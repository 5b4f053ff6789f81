"""Search for exact copies and suspected near-copies within the test set, and between it and the training folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from maskgit.data import near as perceptual
from maskgit.data.dedup import digests
from maskgit.data.folders import listed, passed_over
from maskgit.data.images import decoded
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

NONE = -1
"""The index that means no image."""

TEST_IMAGE = 10.0
"""Work of one test image, which is hashed in every variant, in units of one training image."""

_FAR = np.iinfo(np.uint16).max
_KEYS = 1024  # images compared with at a time: bounds memory

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Advance = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Suspects:
    """The closest image with different pixels, for every test image.

    Attributes:
        index: int64, (N,), NONE where no image is within the threshold.
        distance: uint16, (N,), number of the 256 bits that differ; 65535 where there is no such image.
    """

    index: Indices
    distance: NDArray[np.uint16]

    @property
    def found(self) -> Flags:
        """True for test images that are suspected near-copies, (N,)."""
        return cast("Flags", self.index != NONE)


@dataclass(frozen=True, eq=False)
class FolderOverlap:
    """Overlap of one training folder with the test set.

    Attributes:
        name: The folder, as given.
        files: File names, in order.
        n_same_size: Images of the test images' size; an image of another size cannot be an exact copy, only a suspected one.
        copy: int64, (N,), index into `files` of the first image with exactly the test image's pixels, else NONE.
        suspects: Near-copies of test images that have no exact copy in this folder; None: not searched for.
        passed_over: Names of its sub-folders, which are not searched.
    """

    name: str
    files: tuple[str, ...]
    n_same_size: int
    copy: Indices
    suspects: Suspects | None
    passed_over: tuple[str, ...] = ()

    @property
    def n_images(self) -> int:
        """Number of images in the folder."""
        return len(self.files)

    @property
    def exact(self) -> Flags:
        """True for test images with an exact copy in the folder, (N,)."""
        return cast("Flags", self.copy != NONE)

    @property
    def near(self) -> Flags:
        """True for test images with a suspected but no exact copy in the folder, (N,)."""
        return self.suspects.found if self.suspects else np.zeros(len(self.copy), np.bool_)


@dataclass(frozen=True, eq=False)
class Audit:
    """Findings on N test images.

    Exact findings are certain. Suspected ones come from a perceptual hash, have an error rate (see `maskgit.data.near`)
    and are never included in an exact count.

    Attributes:
        image_size: Height and width of the test images, pixels.
        copy_of: int64, (N,), index of the first test image with the same pixels; an image that comes first has its own.
        suspects: Near-copies within the test set, among images with different pixels; None: not searched for.
        folders: One entry per training folder, in the order given.
    """

    image_size: tuple[int, int]
    copy_of: Indices
    suspects: Suspects | None
    folders: tuple[FolderOverlap, ...]

    @property
    def n_test(self) -> int:
        """Number of test images."""
        return len(self.copy_of)

    @property
    def is_copy(self) -> Flags:
        """True for test images that repeat an earlier one exactly, (N,)."""
        return cast("Flags", self.copy_of != np.arange(self.n_test))

    @property
    def n_distinct(self) -> int:
        """Number of different test images; exact copies count once."""
        return self.n_test - int(self.is_copy.sum())

    @cached_property
    def in_training(self) -> Flags:
        """True for test images with an exact copy in any training folder, (N,)."""
        return self._any(folder.exact for folder in self.folders)

    @property
    def clean(self) -> Flags:
        """True for test images without an exact copy in a training folder, (N,); all True if no folder was given."""
        return ~self.in_training

    @cached_property
    def near_training(self) -> Flags:
        """True for clean test images with a suspected near-copy in a training folder, (N,)."""
        return self._any(folder.near for folder in self.folders) & self.clean

    def _any(self, flags: Iterable[Flags]) -> Flags:
        return cast("Flags", np.logical_or.reduce([np.zeros(self.n_test, np.bool_), *flags]))


def audit(
    test_images: NDArray[np.uint8],
    train: Sequence[Path],
    *,
    near: bool = True,
    progress: Advance = lambda images: None,
) -> Audit:
    """Search for copies of the test images among themselves and in the training folders.

    Args:
        test_images: uint8, (N, 3, H, W).
        train: Folders of RGB images of any size and name; the content decides the format.
        near: Search for near-copies as well, which takes most of the time.
        progress: Called with the work just done, in units of one training image; a test image counts `TEST_IMAGE`.

    Raises:
        InputError: There is no test image; a folder is missing or empty, or has unreadable files (all are listed);
            near-copies are requested but imagehash is not installed.
    """
    if not len(test_images):
        raise InputError("the test set has no image; give a test set with at least one")
    if near:
        perceptual.require_hash()
    fingerprints = digests(test_images)
    copy_of = _first_of(fingerprints)
    thumbnails = [perceptual.thumbnail(image) for image in test_images] if near else []
    queries = _queries(thumbnails, copy_of, progress) if near else None
    if queries is None:
        progress(TEST_IMAGE * len(test_images))
    suspects = _within(queries, perceptual.hashes(thumbnails), copy_of) if queries is not None else None
    size = (int(test_images.shape[2]), int(test_images.shape[3]))
    return Audit(
        size, copy_of, suspects, tuple(_overlap(folder, fingerprints, queries, size, progress) for folder in train)
    )


def _first_of(fingerprints: Sequence[str]) -> Indices:
    first: dict[str, int] = {}
    return np.array([first.setdefault(digest, index) for index, digest in enumerate(fingerprints)], np.int64)


def _queries(thumbnails: list[NDArray[np.uint8]], copy_of: Indices, progress: Advance) -> perceptual.Hashes:
    """Hashes of the test images in every variant; exact copies are hashed once."""
    rows: list[perceptual.Hashes] = []
    for index, first in enumerate(copy_of.tolist()):
        rows.append(rows[first] if first != index else perceptual.query_hashes([thumbnails[index]])[0])
        progress(TEST_IMAGE)
    return np.stack(rows)


def _within(queries: perceptual.Hashes, keys: perceptual.Hashes, copy_of: Indices) -> Suspects:
    """Near-copies among the test images; either image of a pair may be the mirrored or shifted one."""
    distinct = np.unique(copy_of)
    closest = _nobody(len(copy_of))
    for start, bits in _blocks(queries[distinct], keys[distinct]):
        columns = np.arange(bits.shape[1])
        bits[start + columns, columns] = _FAR
        closest = _nearer(closest, distinct, distinct[start + bits.argmin(1)], bits.min(1))
        closest = _nearer(closest, distinct[start + columns], distinct[bits.argmin(0)], bits.min(0))
    return Suspects(closest.index[copy_of], closest.distance[copy_of])


def _overlap(
    folder: Path,
    fingerprints: list[str],
    queries: perceptual.Hashes | None,
    size: tuple[int, int],
    progress: Advance,
) -> FolderOverlap:
    files = listed(folder)
    first: dict[str, int] = {}
    keys: list[perceptual.Hashes] = []
    n_same_size = 0
    for index, image in enumerate(decoded(folder, files)):
        n_same_size += image.shape[1:] == size
        first.setdefault(digests([image])[0], index)
        if queries is not None:
            keys.append(perceptual.hashes([perceptual.thumbnail(image)]))
        progress(1)
    copy = np.array([first.get(digest, NONE) for digest in fingerprints], np.int64)
    suspects = None if queries is None else _between(queries, np.concatenate(keys), np.flatnonzero(copy == NONE))
    return FolderOverlap(
        str(folder), tuple(path.name for path in files), n_same_size, copy, suspects, passed_over(folder)
    )


def _between(queries: perceptual.Hashes, keys: perceptual.Hashes, asked: Indices) -> Suspects:
    """The closest key for the test images in `asked`."""
    closest = _nobody(len(queries))
    for start, bits in _blocks(queries[asked], keys):
        closest = _nearer(closest, asked, start + bits.argmin(1), bits.min(1))
    return closest


def _blocks(queries: perceptual.Hashes, keys: perceptual.Hashes) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Blocks of keys: the index of the first key and the distances (queries, keys of the block)."""
    for start in range(0, len(keys), _KEYS) if len(queries) else ():
        yield start, perceptual.distances(queries, keys[start : start + _KEYS])


def _nobody(n: int) -> Suspects:
    return Suspects(np.full(n, NONE, np.int64), np.full(n, _FAR, np.uint16))


def _nearer(suspects: Suspects, rows: Indices, index: Indices, distance: NDArray[np.uint16]) -> Suspects:
    """Suspects updated in the rows where the new image is closer and within the threshold."""
    indices, distances = suspects.index.copy(), suspects.distance.copy()
    better = (distance < distances[rows]) & (distance <= perceptual.THRESHOLD)
    indices[rows[better]], distances[rows[better]] = index[better], distance[better]
    return Suspects(indices, distances)
