"""A finished run folder, opened for reading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import IncompleteRunError
from bench.grid.spec import Spec, parse_spec
from bench.results.schema import SCHEMA_VERSION
from maskgit.errors import InputError


@dataclass(frozen=True)
class RunFolder:
    """The tables of a run as data frames (columns as in bench.store.store), its record `run.json`, and its spec."""

    path: Path
    record: dict[str, Any]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row a cell."""
        return self.table("cells").to_pandas()

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row a cell and image."""
        return self.table("images").to_pandas()

    @cached_property
    def steps(self) -> pd.DataFrame:
        """One row a trajectory, image and executed step."""
        return self.table("steps").to_pandas()

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row a cell, extractor and metric."""
        return self.table("metrics").to_pandas()

    @cached_property
    def test_set(self) -> pd.DataFrame:
        """One row a test image."""
        return self.table("test_set").to_pandas()

    @property
    def spec(self) -> Spec:
        """What was asked for, paths as written."""
        return parse_spec(self.record["spec"], str(self.path / "run.json"))

    @property
    def base(self) -> Path:
        """Folder that the spec's relative paths start from."""
        return (self.path / self.record["base"]).resolve()

    @property
    def store(self) -> Path:
        """Where the run keeps its stored work."""
        given = self.spec.execution.store
        return self.path / "store" if given is None else self.base / given.expanduser()

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.record.get("complete"))

    def table(self, name: str, columns: tuple[str, ...] = ()) -> pa.Table:
        """Read one table, and check that it has the columns.

        Raises:
            InputError: The file is missing, is not Parquet, or lacks a column.
        """
        path = self.path / f"{name}.parquet"
        try:
            table = pq.read_table(path)
        except FileNotFoundError:
            why = "the run folder is damaged" if self.complete else "the run has not got so far"
            raise InputError(f"{path}: missing, {why}; the same `maskbench run` command goes on from there") from None
        except (OSError, pa.ArrowException):
            raise InputError(
                f"{path}: cannot be read as Parquet; the same `maskbench run` command writes it anew"
            ) from None
        missing = [column for column in columns if column not in table.column_names]
        if missing:
            raise InputError(f"{path}: lacks the column {', '.join(missing)}; run again with this version of maskbench")
        return table


class OtherSchemaError(InputError):
    """A run of another version of maskbench."""


def holds_run(path: Path) -> bool:
    """Whether a folder is one that a run, finished or not, has written into."""
    return any((path / name).exists() for name in ("run.json", "store", "cells.parquet"))


def open_run(path: Path) -> RunFolder:
    """Open a run folder.

    Raises:
        InputError: There is none, or run.json is missing or no JSON; OtherSchemaError if it is of another schema.
        IncompleteRunError: It holds stored work but no finished tables.
    """
    record_path = path / "run.json"
    if not path.is_dir():
        raise InputError(f"{path}: no such run folder; `maskbench run GRID.toml --output {path}` makes one")
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if holds_run(path):
            raise IncompleteRunError(f"{path}: not finished; the same `maskbench run` command goes on") from None
        raise InputError(
            f"{path}: not a run folder (run.json is missing); name the folder `maskbench run` wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{record_path}: cannot be read as JSON ({error}); run again into this folder") from None
    found = record.get("schema") if isinstance(record, dict) else type(record).__name__
    if found != SCHEMA_VERSION:
        raise OtherSchemaError(
            f"{record_path}: schema is {found!r}, this version reads {SCHEMA_VERSION}; run again to rewrite it (a baseline: "
            "`maskbench baseline save` again)"
        )
    return RunFolder(path, record)
