"""A finished run folder, opened for reading."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import IncompleteRunError
from bench.spec import Spec, parse_spec
from bench.store import SCHEMA_VERSION, read_table
from maskgit.errors import InputError


@dataclass(frozen=True)
class RunFolder:
    """The tables of a run as data frames (columns as in bench.store), its record `run.json`, and its spec."""

    path: Path
    record: dict[str, Any]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row a cell."""
        return self._table("cells")

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row a cell and image."""
        return self._table("images")

    @cached_property
    def steps(self) -> pd.DataFrame:
        """One row a trajectory, image and executed step."""
        return self._table("steps")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row a cell, extractor and metric."""
        return self._table("metrics")

    @property
    def spec(self) -> Spec:
        """What was asked for, paths as written."""
        return parse_spec(self.record["spec"], str(self.path / "run.json"))

    @property
    def base(self) -> Path:
        """Folder that the spec's relative paths start from."""
        return (self.path / self.record["base"]).resolve()

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self.path / f"{name}.parquet").to_pandas()


def open_run(path: Path) -> RunFolder:
    """Open a run folder.

    Raises:
        InputError: There is none, or it is of another schema.
        IncompleteRunError: It holds stored work but no finished tables.
    """
    record_path = path / "run.json"
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give the --output folder of a `maskbench run`")
    if not record_path.is_file():
        if (path / "store").is_dir():
            raise IncompleteRunError(f"{path}: the run is not finished; give the same `maskbench run` again to go on")
        raise InputError(f"{path}: no run.json in it; give the --output folder of a `maskbench run`")
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{record_path}: damaged ({error}); run again") from None
    if record.get("schema") != SCHEMA_VERSION:
        raise InputError(
            f"{record_path}: schema {record.get('schema')}, this version reads {SCHEMA_VERSION}; run again"
        )
    return RunFolder(path, record)
