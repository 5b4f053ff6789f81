"""Audit: is the test set clean? Copies and suspected near-copies within it, and between it and the training folders."""

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
"""The index of no picture."""

TEST_IMAGE = 10.0
"""Work of a test image, which is hashed in every variant, in training pictures."""

_FAR = np.iinfo(np.uint16).max
_KEYS = 1024  # pictures compared with at once: bounds memory

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Advance = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Suspects:
    """For every test image the likest picture of other pixels.

    Attributes:
        index: int64, (N,), NONE where nothing lies within the threshold.
        distance: uint16, (N,), bits of 256 in which the two differ; 65535 where there is none.
    """

    index: Indices
    distance: NDArray[np.uint16]

    @property
    def found(self) -> Flags:
        """Which test images are suspected of being a near-copy, (N,)."""
        return cast("Flags", self.index != NONE)


@dataclass(frozen=True, eq=False)
class FolderOverlap:
    """What one training folder shares with the test set.

    Attributes:
        name: The folder, as it was given.
        files: File names, in their order.
        n_same_size: Pictures of the test images' size; no other can be an exact copy, but it can be a suspected one.
        copy: int64, (N,), into `files`: the first with exactly the test image's pixels, else NONE.
        suspects: Near-copies among test images without an exact one here; None: not looked for.
        passed_over: Names of its sub-folders, which are not looked into.
    """

    name: str
    files: tuple[str, ...]
    n_same_size: int
    copy: Indices
    suspects: Suspects | None
    passed_over: tuple[str, ...] = ()

    @property
    def n_images(self) -> int:
        """Pictures in the folder."""
        return len(self.files)

    @property
    def exact(self) -> Flags:
        """Which test images stand in the folder, pixel by pixel, (N,)."""
        return cast("Flags", self.copy != NONE)

    @property
    def near(self) -> Flags:
        """Which test images without an exact copy in the folder have a suspected one, (N,)."""
        return self.suspects.found if self.suspects else np.zeros(len(self.copy), np.bool_)


@dataclass(frozen=True, eq=False)
class Audit:
    """How clean N test images are.

    Exact findings are certain. Suspected ones, by a perceptual hash, have an error rate (see `maskgit.data.near`), and
    no exact number counts them.

    Attributes:
        image_size: Height and width of the test images, pixels.
        copy_of: int64, (N,): the first test image with the same pixels; the image's own index where it is the first.
        suspects: Near-copies within the test set, among images of other pixels; None: not looked for.
        folders: One a training folder, in the order given.
    """

    image_size: tuple[int, int]
    copy_of: Indices
    suspects: Suspects | None
    folders: tuple[FolderOverlap, ...]

    @property
    def n_test(self) -> int:
        """Test images."""
        return len(self.copy_of)

    @property
    def is_copy(self) -> Flags:
        """Which test images repeat an earlier one exactly, (N,)."""
        return cast("Flags", self.copy_of != np.arange(self.n_test))

    @property
    def n_distinct(self) -> int:
        """Test images that differ from all others, copies counted once."""
        return self.n_test - int(self.is_copy.sum())

    @cached_property
    def in_training(self) -> Flags:
        """Which test images stand in any training folder, pixel by pixel, (N,)."""
        return self._any(folder.exact for folder in self.folders)

    @property
    def clean(self) -> Flags:
        """Which test images stand in no training folder, (N,); all of them where no folder was given."""
        return ~self.in_training

    @cached_property
    def near_training(self) -> Flags:
        """Which clean test images are suspected to have a near-copy in a training folder, (N,)."""
        return self._any(folder.near for folder in self.folders) & self.clean

    def _any(self, flags: Iterable[Flags]) -> Flags:
        return cast("Flags", np.logical_or.reduce([np.zeros(self.n_test, np.bool_), *flags]))


def audit(
    test_images: NDArray[np.uint8],
    train: Sequence[Path],
    *,
    near: bool = True,
    progress: Advance = lambda pictures: None,
) -> Audit:
    """Look for the test images in each other and in the training folders.

    Args:
        test_images: uint8, (N, 3, H, W).
        train: Folders of RGB pictures of any size, under any names; content decides the format.
        near: Look for near-copies as well; it is most of an audit's work.
        progress: Called with the work just done, in training pictures: a test image counts `TEST_IMAGE`.

    Raises:
        InputError: No test image; a folder is missing or empty, or holds a file that cannot be read (all are listed);
            near-copies are to be looked for and imagehash is not installed.
    """
    if not len(test_images):
        raise InputError("the test set holds no image; give one with at least one")
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
    """The hashes to search for; copies are hashed once."""
    rows: list[perceptual.Hashes] = []
    for index, first in enumerate(copy_of.tolist()):
        rows.append(rows[first] if first != index else perceptual.query_hashes([thumbnails[index]])[0])
        progress(TEST_IMAGE)
    return np.stack(rows)


def _within(queries: perceptual.Hashes, keys: perceptual.Hashes, copy_of: Indices) -> Suspects:
    """Near-copies among the test images; a pair counts whichever of the two is mirrored and shifted."""
    distinct = np.unique(copy_of)
    found = _nobody(len(copy_of))
    for start, bits in _blocks(queries[distinct], keys[distinct]):
        columns = np.arange(bits.shape[1])
        bits[start + columns, columns] = _FAR
        found = _nearer(found, distinct, distinct[start + bits.argmin(1)], bits.min(1))
        found = _nearer(found, distinct[start + columns], distinct[bits.argmin(0)], bits.min(0))
    return Suspects(found.index[copy_of], found.distance[copy_of])


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
    """The likest key of those test images that are asked for."""
    found = _nobody(len(queries))
    for start, bits in _blocks(queries[asked], keys):
        found = _nearer(found, asked, start + bits.argmin(1), bits.min(1))
    return found


def _blocks(queries: perceptual.Hashes, keys: perceptual.Hashes) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """The first key and the distances (queries, keys of the block) of one block of keys after another."""
    for start in range(0, len(keys), _KEYS) if len(queries) else ():
        yield start, perceptual.distances(queries, keys[start : start + _KEYS])


def _nobody(n: int) -> Suspects:
    return Suspects(np.full(n, NONE, np.int64), np.full(n, _FAR, np.uint16))


def _nearer(found: Suspects, rows: Indices, index: Indices, distance: NDArray[np.uint16]) -> Suspects:
    """What is found, with those rows replaced that are nearer now and within the threshold."""
    indices, distances = found.index.copy(), found.distance.copy()
    better = (distance < distances[rows]) & (distance <= perceptual.THRESHOLD)
    indices[rows[better]], distances[rows[better]] = index[better], distance[better]
    return Suspects(indices, distances)
