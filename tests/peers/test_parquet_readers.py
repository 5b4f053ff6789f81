"""The tables open in readers we did not write, with the documented columns and types, and the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from bench.results.schema import CELLS, IMAGES, METRICS, REFERENCES, STEPS, TEST_SET

if TYPE_CHECKING:
    from pathlib import Path

SCHEMAS = {
    "cells": CELLS, "images": IMAGES, "steps": STEPS, "metrics": METRICS, "references": REFERENCES, "test_set": TEST_SET,
}  # fmt: skip


@pytest.fixture
def folder(small_run: Path) -> Path:
    return small_run


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_reader_sees_the_documented_table(folder: Path, name: str) -> None:
    path = folder / f"{name}.parquet"
    expected = SCHEMAS[name]
    assert pq.read_schema(path).remove_metadata().equals(expected)
    by_pandas = pd.read_parquet(path)
    by_polars = pl.read_parquet(path)
    by_duckdb = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    assert list(by_pandas) == by_polars.columns == by_duckdb.columns == expected.names
    rows = by_duckdb.fetchall()
    for place, column in enumerate(expected.names):
        values = by_polars[column].to_list()
        assert [row[place] for row in rows] == values
        assert [None if pd.isna(value) else value for value in by_pandas[column]] == values


def test_a_question_in_sql(folder: Path) -> None:
    answer = duckdb.sql(
        f"SELECT c.gamma, avg(i.psnr_hole_db) AS psnr FROM read_parquet('{folder}/cells.parquet') c "
        f"JOIN read_parquet('{folder}/images.parquet') i USING (cell_id) "
        "WHERE c.sweet_spot = 2 GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert [gamma for gamma, _ in answer] == ["cosine", "square"]
