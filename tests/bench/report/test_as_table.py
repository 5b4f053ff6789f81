"""`report --table`: the data of every plot, equal to the view's."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.report.as_json import render_json
from bench.report.as_table import CELLS, TABLES, table
from bench.report.formats import report
from bench.report.view import build
from maskgit.errors import InputError

MakeRun = Callable[..., Path]


@pytest.mark.parametrize("name", [CELLS, *TABLES])
def test_every_table_says_the_same_as_csv_and_as_parquet(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    run = make_run(n_images=32, temperatures=(3.0, 4.5))
    report(run, "parquet", tmp_path / "out.parquet", name)
    stored = pq.read_table(tmp_path / "out.parquet")
    report(run, "csv", None, name)
    text = capsys.readouterr().out
    assert text.splitlines()[0].replace('"', "").split(",") == stored.column_names
    frame = pd.read_csv(io.StringIO(text))
    assert len(frame) == stored.num_rows
    for field in stored.schema:
        if pa.types.is_floating(field.type):
            values = stored[field.name].to_pandas().astype(float)
            pd.testing.assert_series_equal(frame[field.name].astype(float), values, check_names=False)


def test_tables_hold_the_numbers_of_json(make_run: MakeRun) -> None:
    view = build(make_run(n_images=32, temperatures=(3.0, 4.5)))
    body = json.loads(render_json(view))
    cells = {cell["cell_id"]: cell for cell in body["cells"]}
    for row in table(view, "grids").to_pylist():
        cell = cells.pop(row["cell_id"])
        assert (row["fd"], row["images_per_s"]) == (cell["score"], cell["images_per_s"])
        assert row["choice_temperature"] == f"{cell['choice_temperature']:g}"
    assert not cells
    front = [(row["cell_id"], row["fd"], row["images_per_s"]) for row in table(view, "pareto").to_pylist()]
    assert front == [(point["cell_id"], point["score"], point["images_per_s"]) for point in body["front"]]
    steps = sum(len(curve["steps"]) for curve in body["curves"])
    assert table(view, "curves").num_rows == steps
    errors = [{f"{name}_se": error for name, error in hole.pop("se").items()} for hole in body["hole_bins"]]
    flat = [{**hole, **of_hole} for hole, of_hole in zip(body["hole_bins"], errors, strict=True)]
    of_headlines = [row for row in table(view, "hole_bins").to_pylist() if row["cell_id"] in view.headline_cells]
    assert of_headlines == flat != []
    assert {row["cell_id"] for row in table(view, "hole_bins").to_pylist()} == {cell.cell_id for cell in view.cells}
    assert table(view, "metrics").to_pylist() == body["metrics"]
    assert table(view, "warnings").to_pylist() == body["caveats"]


def test_an_empty_table_keeps_its_columns(make_run: MakeRun) -> None:
    view = replace(build(make_run(n_images=32)), references=())
    assert table(view, "references").num_rows == 0
    assert table(view, "references").column_names == ["reference", "checkpoint", "compose", "fd", "fd_se"]


def test_an_unknown_table_is_one_line_that_names_the_known_ones(make_run: MakeRun) -> None:
    run = make_run(n_images=32)
    with pytest.raises(
        InputError, match="--table nothing: unknown; choose one of cells, headlines, grids, pareto"
    ) as caught:
        report(run, "csv", None, "nothing\x1b[31m")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="choose one with csv or parquet"):
        report(run, "json", None, "pareto")
