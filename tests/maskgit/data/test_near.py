"""The search for near-copies: what it finds, what it does not, and that its arithmetic is imagehash's."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from maskgit.data import near
from maskgit.data.demo import catfaces


@pytest.fixture(scope="module")
def thumbnails() -> list[np.ndarray]:
    return [near.thumbnail(picture) for picture in catfaces.render(np.arange(12))]


def test_a_thumbnail_of_its_own_size_is_the_grey_picture() -> None:
    picture = catfaces.render(np.arange(1))[0]
    grey = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0))).convert("L")
    np.testing.assert_array_equal(near.thumbnail(picture), np.asarray(grey))
    assert near.thumbnail(np.zeros((3, 200, 100), np.uint8)).shape == (64, 64)


def test_distances_are_those_of_imagehash_to_the_nearest_variant(thumbnails: list[np.ndarray]) -> None:
    found = near.distances(near.query_hashes(thumbnails[:3]), near.hashes(thumbnails))
    for row, query in enumerate(thumbnails[:3]):
        padded = np.pad(query, 2, mode="edge")
        moved = [padded[y : y + 64, x : x + 64] for y in range(5) for x in range(5)]
        variants = [
            imagehash.phash(Image.fromarray(v), 16) for m in moved for v in (m, np.ascontiguousarray(m[:, ::-1]))
        ]
        for column, other in enumerate(thumbnails):
            key = imagehash.phash(Image.fromarray(other), 16)
            assert found[row, column] == min(key - variant for variant in variants)


def test_distances_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch, thumbnails: list[np.ndarray]) -> None:
    queries, keys = near.query_hashes(thumbnails), near.hashes(thumbnails)
    together = near.distances(queries, keys)
    monkeypatch.setattr(near, "_PAIRS", 1)
    np.testing.assert_array_equal(near.distances(queries, keys), together)
    np.testing.assert_array_equal(near.distances(queries, keys[5:7]), together[:, 5:7])
    assert near.distances(queries[:0], keys).shape == (0, 12)


def test_opposite_hashes_are_as_far_apart_as_can_be() -> None:
    """256 bits do not fit 8: a count that wrapped would call a negative the same picture."""
    nothing, everything = np.zeros((1, 1, 4), np.uint64), np.full((1, 4), 2**64 - 1, np.uint64)
    assert near.distances(nothing, everything) == near.BITS


def test_a_negative_is_another_picture(thumbnails: list[np.ndarray]) -> None:
    bits = near.distances(near.query_hashes([255 - thumbnails[0]]), near.hashes(thumbnails[:1]))
    assert bits[0, 0] > near.THRESHOLD
