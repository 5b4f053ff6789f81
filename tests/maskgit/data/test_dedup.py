"""Exact duplicates: properties, and the dirt that is known of the real photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgit.data.decode import decode
from maskgit.data.dedup import digests, keep_distinct
from maskgit.data.folders import scan
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def real_digests(shared: Path) -> dict[str, list[str]]:
    """Digests of train, val and test of the real photographs (15,747 files, read once)."""
    root = shared / "data" / "cat-faces-64"
    return {
        name: digests(decode(path, channels=3) for path in scan(root / name)[0].values())
        for name in ("train", "val", "test_gt")
    }


def test_digests_are_equal_exactly_where_pixels_are() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
    changed = pictures.copy()
    changed[1, 2, 7, 7] ^= 1
    before, after = digests(pictures), digests(changed)
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert len(set(before)) == 3
    # the memory layout of an array is no part of its pixels
    assert digests(np.ascontiguousarray(pictures.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)) == before
    assert digests(iter(pictures)) == before


def test_the_same_bytes_in_another_shape_are_another_picture() -> None:
    assert digests(np.zeros((1, 3, 4, 16), np.uint8)) != digests(np.zeros((1, 3, 8, 8), np.uint8))


def test_pixels_that_are_not_8_bit_are_refused() -> None:
    with pytest.raises(InputError, match="uint8"):
        digests(np.zeros((1, 3, 8, 8), np.float32))


@given(st.lists(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcxyz")))
def test_first_copies_stay_and_every_picture_is_counted_once(names: list[str], exclude: set[str]) -> None:
    kept, duplicates, excluded = keep_distinct(names, exclude)
    chosen = [names[i] for i in kept]
    assert kept.dtype == np.int64
    assert len(kept) + duplicates + excluded == len(names)
    assert list(kept) == sorted(set(kept.tolist()))
    assert set(chosen) == set(names) - exclude
    assert len(chosen) == len(set(chosen))
    assert all(names.index(name) == i for i, name in zip(kept.tolist(), chosen, strict=True))
    assert excluded == sum(name in exclude for name in names)


def test_the_known_dirt_of_the_real_photographs(real_digests: dict[str, list[str]]) -> None:
    train, val, test = (real_digests[name] for name in ("train", "val", "test_gt"))
    assert [len(train), len(val), len(test)] == [12_000, 3_000, 747]
    assert [len(set(train)), len(set(val)), len(set(test))] == [8_244, 2_778, 733]
    assert len(set(train) | set(val)) == 9_140
    assert len({*train, *val, *test}) == 9_303

    in_train = [digest in set(train) for digest in test]
    in_val = [digest in set(val) for digest in test]
    in_either = np.logical_or(in_train, in_val)
    assert [sum(in_train), sum(in_val), int(in_either.sum()), int((~in_either).sum())] == [446, 124, 570, 177]


def test_the_clean_training_set_holds_every_other_picture_once(real_digests: dict[str, list[str]]) -> None:
    both = real_digests["train"] + real_digests["val"]
    kept, duplicates, excluded = keep_distinct(both, set(real_digests["test_gt"]))
    assert [len(kept), duplicates, excluded] == [8_570, 5_860, 570]
    clean = {both[i] for i in kept}
    assert len(clean) == 8_570
    assert not clean & set(real_digests["test_gt"])
