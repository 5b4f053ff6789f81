"""A run folder opened: its score under one name, its reference rows, and its best cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from bench.grid.plan import make_plan
from bench.grid.spec import parse_spec
from bench.results.folder import RunFolder, open_run
from bench.results.record import RunRecord, read_record
from bench.results.schema import CELLS, REFERENCES, SCORE_COLUMNS, cells_schema, schemas, write_table

if TYPE_CHECKING:
    from pathlib import Path

RECORD = {
    "schema": 3,
    "name": "<b>mine</b>",
    "complete": True,
    "spec": {},
    "environment": {"maskbench": "9.8.7", "gpu": None, "threads": 2},
    "data": {"name": "cats", "n_images": 12},
    "checkpoints": [{"name": "a", "fingerprint": "1"}],
    "features": [{"name": "inception", "label": "FID", "dim": 2048, "verified": True, "fingerprint": "2"}],
}


def write_run(folder: Path, label: str, scores: dict[int, float | None], drop: tuple[str, ...] = ()) -> RunFolder:
    """A folder with the record above, and a cell for each sweet spot with its score."""
    folder.mkdir()
    features = {**RECORD["features"][0], "label": label}
    (folder / "run.json").write_text(json.dumps({**RECORD, "features": [features]}))
    spec = parse_spec({"model": {"checkpoint": "a"}, "data": {"dataset": "catfaces"}}, "test")
    cells = {cell.sweet_spot: cell for cell in make_plan(spec, ("a",)).cells}
    rows = [
        {
            **cells[spot].settings,
            "cell_id": cells[spot].cell_id,
            "trajectory_id": cells[spot].trajectory.trajectory_id,
            "n_images": 12,
            "features": "inception",
            "images_per_s": 10.0,
            **dict.fromkeys((label.lower(), "score"), score),
            **dict.fromkeys((f"{label.lower()}_se", "score_se"), 0.5),
        }
        for spot, score in scores.items()
    ]
    write_table(folder / "cells.parquet", pa.Table.from_pylist(rows, cells_schema(label)).drop_columns(list(drop)))
    number = {"features": "inception", "metric": "frechet_distance", "subset": "all", "value": 3.0, "se": 0.25, "n": 12}
    reference = {"reference": "telea", "checkpoint": None, "compose": "none", **number}
    others = [
        {**reference, "metric": "kernel_distance"},
        {**reference, "subset": "clean"},
        {**reference, "features": "x"},
    ]
    write_table(folder / "references.parquet", pa.Table.from_pylist([reference, *others], REFERENCES))
    return open_run(folder)


@pytest.mark.parametrize(("label", "name"), [("FID", "FID"), ("FD", "FD (inception)")])
@pytest.mark.parametrize("drop", [(), SCORE_COLUMNS], ids=["this version", "before the score had columns"])
def test_the_score_has_one_name_whatever_the_extractor(
    tmp_path: Path, label: str, name: str, drop: tuple[str, ...]
) -> None:
    run = write_run(tmp_path / "run", label, {4: 7.0, 8: 5.0, 2: None}, drop)
    ordered = run.cells.sort_values("score")
    assert ordered.sweet_spot.tolist() == [8, 4, 2]
    assert ordered.score.tolist()[:2] == ordered[label.lower()].tolist()[:2] == [5.0, 7.0]
    assert (ordered.score_se == 0.5).all()
    assert drop == () or set(ordered.score_name) == {name}
    assert run.best is not None
    assert run.best.sweet_spot == 8
    (reference,) = run.references.to_dict("records")
    assert (reference["reference"], reference["score"], reference["score_se"]) == ("telea", 3.0, 0.25)
    assert reference["score_name"] == name


def test_of_equal_scores_the_fastest_is_best_and_none_is_best_without_scores(tmp_path: Path) -> None:
    assert write_run(tmp_path / "none", "FD", {4: None, 8: None}).best is None
    run = write_run(tmp_path / "equal", "FD", {8: 5.0, 2: 5.0})
    run.cells.loc[run.cells.sweet_spot == 2, "images_per_s"] = 20.0
    assert run.best is not None
    assert run.best.sweet_spot == 2


def test_it_says_in_one_line_what_it_holds(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "FID", {8: 5.0, 2: 6.0})
    assert repr(run).startswith(f"RunFolder({tmp_path / 'run'}: 2 cells, 12 images, best FID 5 cosine-8-8-")


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = RunRecord.model_validate(RECORD)
    assert record.version == "9.8.7"
    (tmp_path / "run.json").write_text(json.dumps(record.to_json()))
    assert read_record(tmp_path / "run.json") == record
    assert record.to_json()["schema"] == 3


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({**RECORD, "later": {"a": [1]}}))
    assert read_record(tmp_path / "run.json") == RunRecord.model_validate(RECORD)


def test_every_column_of_every_table_says_what_it_means() -> None:
    for schema in schemas().values():
        assert all(field.metadata[b"description"].decode().endswith(".") for field in schema)
    assert len(CELLS.names) == len(set(CELLS.names))
