"""An edited run.json, table or baseline gives a number or one line in every command that reads it, never a traceback."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench
from bench.gate.baseline import save_baseline
from bench.gate.decision import decide
from bench.grid.sections import GateSection
from bench.report.compare.view import build_comparison
from bench.report.formats import report
from bench.results.finished_run import open_evaluated
from maskgit.errors import InputError, MaskgitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

TESTS = Path(__file__).resolve().parents[1]
few = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a few cells, made of numbers alone."""
    synthetic = load("synthetic_run", TESTS / "bench/report/conftest.py")
    return synthetic.make_run(
        tmp_path_factory.mktemp("run") / "run", gammas=("cosine", "linear"), total_iters=(2,), n_images=8
    )


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved baseline of two cells, made of numbers alone."""
    sides = load("synthetic_sides", TESTS / "bench/gate/sides.py")
    truth, *cells = np.random.default_rng(5).standard_normal((3, 12, 4)).astype(np.float32)
    folder = tmp_path_factory.mktemp("side") / "base"
    sides.write_side(
        folder, sides.Side({sides.a_cell(spot): rows for spot, rows in zip((4, 8), cells, strict=True)}, truth)
    )
    return folder


def read_run(folder: Path, original: Path) -> Iterator[Callable[[], object]]:
    """Everything that reads a run folder."""
    out = folder.parent / "out"
    yield lambda: report(folder, "json", out)
    yield lambda: report(folder, "markdown", out)
    yield lambda: build_comparison([original, folder])
    yield lambda: [repr(opened := bench.load(folder)), opened._repr_html_(), opened.best, opened.references]
    yield lambda: open_evaluated(folder).scored


def read_baseline(folder: Path, original: Path) -> Iterator[Callable[[], object]]:
    """Everything that reads a saved baseline."""
    rules = GateSection(permutations=200)
    yield lambda: decide(open_evaluated(original), open_evaluated(folder), rules, "test")
    yield lambda: decide(open_evaluated(folder), open_evaluated(original), rules, "test")
    yield lambda: save_baseline(folder, folder.parent / "saved")


def require_one_line(commands: Iterator[Callable[[], object]]) -> None:
    for command in commands:
        try:
            command()
        except MaskgitError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 1000


def edited(folder: Path, edit: Callable[[Path], None], tmp_path: Path) -> Path:
    copy = tmp_path / "edited"
    for leftover in (copy, tmp_path / "saved"):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(folder, copy)
    edit(copy)
    return copy


# --- run.json ---

VALUES: list[Any] = [
    None, "", "x", "\ud800\x1b[31m", -1, 0, 1.5, 2**70, math.inf, math.nan, True, [], {}, [[]], {"a": {"b": []}}, [None],
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key and index of a JSON value, from the root down."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def with_value(record: Any, place: tuple[Any, ...], value: Any, delete: bool) -> Any:
    if not place:
        return value
    *parents, last = place
    holder = record
    for key in parents:
        holder = holder[key]
    if delete:
        del holder[last]
    else:
        holder[last] = value
    return record


def edit_record(data: st.DataObject) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "run.json"
        record = json.loads(path.read_text())
        place = data.draw(st.sampled_from(places(record)))
        changed = with_value(record, place, data.draw(st.sampled_from(VALUES)), data.draw(st.booleans()))
        path.write_text(json.dumps(changed), encoding="utf-8")

    return edit


# --- tables ---

COLUMNS: dict[str, Callable[[pa.ChunkedArray], Any]] = {
    "null": lambda column: pa.nulls(len(column), column.type),
    "one null": lambda column: pa.concat_arrays([pa.nulls(1, column.type), column.combine_chunks()[1:]]),
    "text": lambda column: pa.array(["x\x1b[2J"] * len(column)),
    "number": lambda column: pa.array([-1] * len(column)),
    "zero": lambda column: pa.array([0] * len(column)),
    "large": lambda column: pa.array([2**62] * len(column)),
    "infinite": lambda column: pa.array([math.inf] * len(column)),
    "NaN": lambda column: pa.array([math.nan] * len(column)),
    "flag": lambda column: pa.array([True] * len(column)),
    "lists": lambda column: pa.array([[1]] * len(column)),
    "bytes": lambda column: pa.array([b"\xff\xfe"] * len(column)),
    "first": lambda column: pa.array([column[0].as_py()] * len(column), column.type),
}
ROWS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "none": lambda table: table[:0],
    "twice": lambda table: pa.concat_tables([table, table]),
    "backwards": lambda table: table.take(list(range(len(table)))[::-1]),
    "without the first": lambda table: table[1:],
}


def edit_table(data: st.DataObject) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = data.draw(st.sampled_from(sorted(folder.glob("*.parquet"))))
        table = pq.read_table(path)
        name = data.draw(st.sampled_from([*ROWS, *table.column_names]))
        if name in ROWS:
            table = ROWS[name](table)
        elif (kind := data.draw(st.sampled_from(["dropped", *COLUMNS]))) == "dropped":
            table = table.drop_columns([name])
        else:
            table = table.set_column(table.column_names.index(name), name, COLUMNS[kind](table[name]))
        pq.write_table(table, path)

    return edit


@few
@given(st.data())
def test_an_edited_record_of_a_run(run: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    require_one_line(read_run(edited(run, edit_record(data), tmp_path_factory.mktemp("e")), run))


@few
@given(st.data())
def test_an_edited_table_of_a_run(run: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    require_one_line(read_run(edited(run, edit_table(data), tmp_path_factory.mktemp("e")), run))


@few
@given(st.data())
def test_an_edited_baseline(baseline: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    edit = edit_table(data) if data.draw(st.booleans()) else edit_record(data)
    require_one_line(read_baseline(edited(baseline, edit, tmp_path_factory.mktemp("e")), baseline))


# --- a handful whose line is known ---


def with_key(*place: Any, value: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "run.json"
        path.write_text(json.dumps(with_value(json.loads(path.read_text()), place, value, delete=False)))

    return edit


def with_column(table: str, name: str, kind: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        content = pq.read_table(path)
        pq.write_table(content.set_column(content.column_names.index(name), name, COLUMNS[kind](content[name])), path)

    return edit


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda folder: (folder / "run.json").write_text("["), "run.json: cannot be read as JSON"),
        (lambda folder: (folder / "run.json").write_text("[" * 100_000), "run.json: cannot be read as JSON"),
        (lambda folder: (folder / "run.json").write_text("[]"), "run.json: schema is 'list', this version reads 3"),
        (with_key("schema", value=True), "run.json: schema is True, this version reads 3"),
        (with_key("features", value=[]), "run.json: features: .* at least 1 item"),
        (with_key("features", 0, "label", value="FIDO"), "run.json: features.0.label: .*'FID' or 'FD'"),
        (with_key("environment", value=[]), "run.json: environment: .*dictionary"),
        (with_key("checkpoints", 0, "fingerprint", value=7), "run.json: checkpoints.0.fingerprint: .*string"),
        (with_column("cells", "total_iter", "text"), "cells.parquet: the column total_iter is string, expected int32"),
        (with_column("cells", "gamma", "one null"), "cells.parquet: the column gamma has no value in 1 of"),
        (with_column("images", "influence", "lists"), "images.parquet: the column influence is list"),
    ],
)  # fmt: skip
def test_the_line_names_file_and_key(run: Path, tmp_path: Path, edit: Callable[[Path], None], named: str) -> None:
    with pytest.raises(InputError, match=named):
        report(edited(run, edit, tmp_path), "json", tmp_path / "out")


@pytest.mark.parametrize(
    "grid", [{"gamma": 1.5}, {"sampling": [[]]}, {"gamma": "A" * 5000}, {"include": [{"gamma": {}}]}]
)
def test_settings_of_any_type_in_the_recorded_grid_are_one_line(
    run: Path, tmp_path: Path, grid: dict[str, Any]
) -> None:
    def edit(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**record, "spec": {"grid": grid}}))

    with pytest.raises(InputError, match=r"its grid has .* not declared here") as error:
        report(edited(run, edit, tmp_path), "json", tmp_path / "out")
    assert len(str(error.value)) < 1000


def test_a_baseline_that_lacks_a_checkpoint_of_its_cells_is_one_line(baseline: Path, tmp_path: Path) -> None:
    def edit(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text())
        record["checkpoints"][0]["name"] = "renamed"
        (folder / "run.json").write_text(json.dumps(record))

    copy = edited(baseline, edit, tmp_path)
    with pytest.raises(InputError, match=r"run.json: checkpoints: ours is missing, which cells.parquet names"):
        decide(open_evaluated(copy), open_evaluated(baseline), GateSection(permutations=200), "test")
