"""Parts that travel between stores arrive whole and in their place, or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from bench.store.kinds import REFERENCE, TRAJECTORIES
from bench.store.store import Store
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef"
TABLE = pa.table({"x": [1, 2, 3]})


@pytest.fixture
def sent(tmp_path: Path) -> dict[str, bytes]:
    """The parts of a store with one part."""
    store = Store(tmp_path / "sender")
    store.append(REFERENCE, KEY, TABLE)
    return store.parts([(REFERENCE, KEY), (TRAJECTORIES, KEY)])


def test_parts_arrive_as_they_were(sent: dict[str, bytes], tmp_path: Path) -> None:
    store = Store(tmp_path / "receiver")
    for _ in range(2):
        for path, content in sent.items():
            store.adopt(path, content)
    assert store.read(REFERENCE, KEY) == TABLE
    assert store.parts([(REFERENCE, KEY)]) == sent
    assert len(sent) == 1


def test_damaged_parts_are_neither_sent_nor_adopted(sent: dict[str, bytes], tmp_path: Path) -> None:
    ((path, content),) = sent.items()
    damaged = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(InputError, match="damaged on its way"):
        Store(tmp_path / "receiver").adopt(path, damaged)
    (tmp_path / "sender" / path).write_bytes(damaged)
    assert Store(tmp_path / "sender").parts([(REFERENCE, KEY)]) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: f"../{path}",
        lambda path: f"/{path}",
        lambda path: path.replace(REFERENCE, "elsewhere"),
        lambda path: path.replace(REFERENCE, TRAJECTORIES),
        lambda path: path.replace(KEY, "f" + KEY[1:]),
        lambda path: path.replace("/", "/../x/", 1),
        lambda path: f"{path}/",
        lambda path: "",
    ],
)
def test_a_part_goes_nowhere_but_to_its_place(change: object, sent: dict[str, bytes], tmp_path: Path) -> None:
    ((path, content),) = sent.items()
    with pytest.raises(InputError, match="damaged on its way"):
        Store(tmp_path / "receiver").adopt(change(path), content)  # type: ignore[operator]
    assert not (tmp_path / "receiver").exists()
