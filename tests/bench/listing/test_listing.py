"""Runs are listed as they are, and only stored work that none of them needs is removed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.results.folder import open_run
from bench.run.lock import locked
from bench.store.kinds import FEATURES, REFERENCE
from bench.store.store import ASIDE
from bench.verify.command import verify

if TYPE_CHECKING:
    from pathlib import Path


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    content = json.loads(invoke("ls", folder, "--json").stdout)
    return {run["path"].removeprefix(f"{folder}/"): run for run in content["runs"]}


@pytest.fixture
def folder(small_run: Path, tmp_path: Path) -> Path:
    """A folder with two copies of the small run."""
    for name in ("one", "two"):
        shutil.copytree(small_run, tmp_path / "runs" / name)
    return tmp_path / "runs"


def test_every_run_is_listed_with_its_best_cell_and_state(folder: Path, small_run: Path) -> None:
    (folder / "notes").mkdir()
    shutil.copytree(small_run, folder / "notes" / "deep")
    (folder / "two" / "run.json").unlink()
    (folder / "notes" / "deep" / "cells.parquet").write_bytes(b"")
    runs = listed(folder)
    assert list(runs) == ["notes/deep", "one", "two"]
    best = open_run(small_run).best
    assert best is not None
    whole = runs["one"]
    assert (whole["name"], whole["cells"], whole["images"], whole["state"]) == ("small", 10, 5, "complete")
    assert (whole["best_cell_id"], whole["score"]) == (best.cell_id, best.score)
    assert whole["date"] == open_run(small_run).record.finished
    unfinished = runs["two"]
    assert (unfinished["name"], unfinished["cells"], unfinished["images"]) == ("small", 10, 5)
    assert (unfinished["state"], unfinished["score"]) == ("unfinished", None)
    assert runs["notes/deep"]["state"] == "damaged"
    assert "cells.parquet" in runs["notes/deep"]["problem"]
    with locked(folder / "two"):
        assert listed(folder)["two"]["state"] == "running"
    text = invoke("ls", folder, "--format", "markdown").stdout
    assert best.cell_id.replace("_", "\\_") in text
    assert "unfinished" in text


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert invoke("ls", tmp_path / "nowhere").exit_code == 2
    assert listed(tmp_path) == {}


def stored(run: Path) -> set[Path]:
    return {path.relative_to(run) for path in (run / "store").rglob("*.parquet")}


def add_garbage(run: Path) -> list[Path]:
    """Work of a key that no run has, and a damaged part that was set aside."""
    part = next((run / "store" / REFERENCE).rglob("*.parquet"))
    old = run / "store" / FEATURES / "ab" / ("ab" * 16) / part.name
    aside = part.parent / ASIDE / part.name
    for path in (old, aside):
        path.parent.mkdir(parents=True)
        shutil.copy(part, path)
    return [old, aside]


def gc(folder: Path, *options: str) -> dict[str, Any]:
    return {
        store["path"]: store for store in json.loads(invoke("store", "gc", folder, "--json", *options).stdout)["stores"]
    }


def test_only_what_no_run_needs_is_removed_and_only_if_asked_to(folder: Path, small_run: Path) -> None:
    garbage = add_garbage(folder / "one")
    (folder / "two" / "run.json").unlink()  # an unfinished run needs its work too
    usage = gc(folder)[str(folder / "one" / "store")]
    assert usage["kinds"][FEATURES]["keys"] == usage["kinds"][FEATURES]["needed_keys"] + 1
    assert usage["damaged_bytes"] == garbage[1].stat().st_size
    assert all(path.exists() for path in garbage), "nothing is removed without --yes"
    assert invoke("store", "ls", folder).exit_code == 0
    gc(folder, "--yes")
    assert not any(path.exists() for path in garbage)
    assert not garbage[0].parent.parent.exists()
    for name in ("one", "two"):
        assert stored(folder / name) == stored(small_run)
    assert verify(folder / "one").intact


def test_a_store_in_use_or_of_unknown_users_is_left_alone(folder: Path) -> None:
    garbage = add_garbage(folder / "one")
    path = str(folder / "one" / "store")
    with locked(folder / "one" / "store", shared=True):
        assert "in use by process" in gc(folder, "--yes")[path]["kept"]
    (folder / "two" / "run.json").write_text("{")
    (folder / "two" / "identity.json").write_text("{")
    assert "two needs is not known" in gc(folder, "--yes")[path]["kept"]
    assert all(path.exists() for path in garbage)


def test_a_store_outside_of_the_folder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    garbage = add_garbage(folder / "one")
    (folder / "one" / "store").rename(tmp_path / "elsewhere")
    (folder / "one" / "store").symlink_to(tmp_path / "elsewhere")
    usage = gc(folder / "one", "--yes")[str(tmp_path / "elsewhere")]
    assert "outside of" in usage["kept"]
    assert garbage[0].exists()
