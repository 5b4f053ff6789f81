"""A record is read by the steps that its parts hold: in any order, any overlap, up to the first gap."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.store.kinds import TRAJECTORIES
from bench.store.records import Record, from_table, read_record, to_table
from bench.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

IMAGE_IDS = np.array([3, 5, 8])
S, B, N = 6, 3, 10


@pytest.fixture(scope="module")
def record() -> Record:
    rng = np.random.default_rng(0)
    return Record(
        rng.integers(0, 1024, (S, B, N), np.uint16), rng.random((S, B, N)) < 0.5, rng.random((S, B), np.float32)
    )


def steps(record: Record, first: int, last: int) -> Record:
    cut = slice(first - 1, last)
    return Record(record.canvases[cut], record.masks[cut], record.confidence[cut])


def same(a: Record, b: Record) -> bool:
    names = ("canvases", "masks", "confidence")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def stored(store: Store, record: Record, *spans: tuple[int, int]) -> Record | None:
    for first, last in spans:
        store.append(TRAJECTORIES, "key", to_table(steps(record, first, last), IMAGE_IDS, first))
    return read_record(store, "key")


@pytest.mark.parametrize(
    ("spans", "last"),
    [
        ([(1, 6)], 6),
        ([(1, 2), (3, 6)], 6),
        ([(1, 2), (1, 4), (5, 6)], 6),  # two runs with different sweet spots on one store
        ([(1, 4), (1, 2), (3, 6)], 6),
        ([(1, 2), (4, 6)], 2),  # the part between is lost
        ([(3, 6)], 0),  # the first part is lost
        ([(2, 2), (1, 1), (4, 4), (3, 3)], 4),
    ],
)
def test_parts_join_by_the_steps_they_hold(
    tmp_path: Path, record: Record, spans: list[tuple[int, int]], last: int
) -> None:
    for number, order in enumerate(permutations(spans)):
        joined = stored(Store(tmp_path / str(number)), record, *order)
        if last == 0:
            assert joined is None
        else:
            assert joined is not None
            assert same(joined, steps(record, 1, last))


def test_rows_come_in_any_order_and_a_lost_image_ends_the_steps(record: Record) -> None:
    table = to_table(record, IMAGE_IDS, 1)
    shuffled = from_table(table.take(np.random.default_rng(1).permutation(len(table))))
    assert shuffled is not None
    assert same(shuffled, record)
    without = from_table(table.take([row for row in range(len(table)) if row != 3 * B + 1]))
    assert without is not None
    assert same(without, steps(record, 1, 3))
    assert from_table(None) is None
