"""Whoever does the blocks, in whatever order and however often: the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pandas as pd
import pytest

import bench
from bench.executors import local
from bench.executors.registry import EXECUTORS
from bench.grid.spec import Spec, parse_spec
from bench.run import throughput
from bench.run.runner import run as drive
from bench.run.throughput import Cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")
TIMED = ["images_per_s", "ms_per_image", "throughput_source"]


def backwards_and_twice(tasks: Sequence[Task], work: Callable[[Task], Outcome]) -> Iterator[Outcome]:
    """Do the last task first, and each again, as after a lost answer."""
    for task in reversed(tasks):
        yield work(task)
        work(task)


@pytest.mark.parametrize("execute", EXECUTORS.values(), ids=EXECUTORS)
def test_every_task_is_done_and_its_outcome_handed_out_once(execute: Callable) -> None:
    assert sorted(execute(range(5), lambda task: task * task)) == [0, 1, 4, 9, 16]
    with pytest.raises(ZeroDivisionError):
        list(execute([1, 0], lambda task: 1 / task))


def spec(checkpoint: Path) -> Spec:
    raw = {
        "model": {"checkpoint": str(checkpoint)},
        "data": {"dataset": "catfaces", "count": 5},
        "grid": {"gamma": "cosine", "total_iter": 3, "sweet_spot": [1, 3]},
        "metrics": {"features": ["efficientnet-lite0"]},
        "throughput": {"repeats": 1, "checks": 0},
        "execution": {"tile": 2, "batch_size": 1, "device": "cpu", "threads": 1},
    }
    return parse_spec(raw, "test")


def parts(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted((folder / "store").rglob("*.parquet"))}


def test_blocks_in_any_order_give_the_same_bytes(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "measure", lambda *_, **__: Cost(1.0, 1.0, 1.0, 1))
    folders = {}
    for name, execute in (("ordered", local.execute), ("backwards", backwards_and_twice)):
        monkeypatch.setitem(EXECUTORS, "local", execute)
        folders[name] = drive(spec(tiny_checkpoint), tmp_path / name, quiet=True)
    assert len(parts(folders["ordered"])) > 10
    assert parts(folders["ordered"]) == parts(folders["backwards"])
    ordered, backwards = (bench.load(folder) for folder in folders.values())
    pd.testing.assert_frame_equal(
        ordered.cells.drop(columns=TIMED), backwards.cells.drop(columns=TIMED), check_exact=True
    )
    pd.testing.assert_frame_equal(ordered.images, backwards.images, check_exact=True)
