"""Canvases are rendered where something of them is lacking, each once, and what is measured is stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.run.embed import Shelf, fill_shelves
from bench.store.canvases import Canvas, addresses, canvases_of_tokens
from bench.store.kinds import FEATURES, PIXELS
from bench.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TOKENS = np.arange(35, dtype=np.uint16).reshape(7, 5)
CANVASES = canvases_of_tokens(TOKENS, range(7), "none")
AT_ONCE = 3


class Renderer:
    """Images that tell which canvas they are of; remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[list[Canvas]] = []

    def __call__(self, canvases: Sequence[Canvas]) -> np.ndarray:
        self.calls.append(list(canvases))
        return np.stack([np.full((3, 2, 2), canvas.row, np.uint8) for canvas in canvases])


def features(images: np.ndarray, canvases: Sequence[Canvas]) -> Mapping[str, np.ndarray]:
    assert [canvas.row for canvas in canvases] == images[:, 0, 0, 0].tolist()
    return {"feature": images.reshape(len(images), -1).astype(np.float32)}


def errors(images: np.ndarray, canvases: Sequence[Canvas]) -> Mapping[str, np.ndarray]:
    return {"error": images.mean((1, 2, 3)).astype(np.float32)}


def fill(
    root: Path, canvases: Sequence[Canvas], told: Callable[[int, bool], None] = lambda n, stored: None
) -> Renderer:
    store, renderer = Store(root), Renderer()
    shelves = [Shelf(store, FEATURES, "key", features), Shelf(store, PIXELS, "key", errors)]
    fill_shelves(shelves, canvases, renderer, AT_ONCE, told)
    return renderer


def test_only_what_is_lacking_is_rendered_a_few_at_a_time(tmp_path: Path) -> None:
    told: list[tuple[int, bool]] = []
    first = fill(tmp_path, CANVASES[:4], lambda *args: told.append(args))
    assert [canvas for call in first.calls for canvas in call] == CANVASES[:4]
    rest = fill(tmp_path, CANVASES)
    assert [canvas for call in rest.calls for canvas in call] == CANVASES[4:]
    assert not fill(tmp_path, CANVASES).calls
    assert max(len(call) for call in first.calls) == AT_ONCE
    assert told == [(0, True), (3, False), (1, False)]


@pytest.mark.parametrize("lost", [FEATURES, PIXELS])
def test_a_lost_shelf_is_filled_again_and_the_other_left_as_it_is(tmp_path: Path, lost: str) -> None:
    fill(tmp_path, CANVASES)
    parts = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    for path in (tmp_path / lost).rglob("*.parquet"):
        path.unlink()
    assert fill(tmp_path, CANVASES).calls
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == parts


def test_every_canvas_keeps_its_own_values(tmp_path: Path) -> None:
    fill(tmp_path, CANVASES[::-2])
    fill(tmp_path, CANVASES)
    table = Store(tmp_path).read(PIXELS, "key")
    assert table is not None
    place, values = addresses(table), table["error"].to_pylist()
    assert [values[place[canvas.address]] for canvas in CANVASES] == list(range(7))
