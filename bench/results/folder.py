"""Run folders, opened for reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from bench.document.text import clean
from bench.errors import IncompleteRunError
from bench.files import parse_table, read_bytes
from bench.grid.settings import settings
from bench.grid.spec import Spec, parse_spec
from bench.metrics.naming import distance_name, labels_of
from bench.metrics.registry import FRECHET
from bench.results.record import REPAIR, RunRecord, read_record
from bench.results.record import OtherSchemaError as OtherSchemaError
from bench.results.schema import KEYS, SCORE_COLUMNS, checked
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


@dataclass(frozen=True, repr=False)
class RunFolder:
    """The tables of a run as data frames (columns as in `bench.results.schema`), its record `run.json`, and its spec."""

    path: Path
    record: RunRecord

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per cell; `score` is its FID or FD (lower is better), and `score_name` says which."""
        return cast("pd.DataFrame", self.table("cells", ("score", "images_per_s")).to_pandas())

    @cached_property
    def references(self) -> pd.DataFrame:
        """One row per reference row, with the columns `score`, `score_se` and `score_name` as for cells."""
        table = self.table("references", ("value", "se")).to_pandas()
        score = table[
            (table.features == self.record.primary.name) & (table.metric == FRECHET) & (table.subset == "all")
        ]
        rows = score.rename(columns={"value": "score", "se": "score_se"}).assign(score_name=self.score_name)
        return cast("pd.DataFrame", rows[["reference", "checkpoint", "compose", *SCORE_COLUMNS]].reset_index(drop=True))

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row per cell and image."""
        return cast("pd.DataFrame", self.table("images").to_pandas())

    @cached_property
    def steps(self) -> pd.DataFrame:
        """One row per trajectory, image and executed step."""
        return cast("pd.DataFrame", self.table("steps").to_pandas())

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per cell, extractor, metric and subset of the images."""
        return cast("pd.DataFrame", self.table("metrics").to_pandas())

    @cached_property
    def test_set(self) -> pd.DataFrame:
        """One row per test image."""
        return cast("pd.DataFrame", self.table("test_set").to_pandas())

    @property
    def best(self) -> pd.Series | None:
        """The row of the cell with the best score, the fastest if several are equal; None before any cell has a score."""
        scored = self.cells.dropna(subset=["score"])
        return None if scored.empty else scored.sort_values(["score", "images_per_s"], ascending=[True, False]).iloc[0]

    @property
    def score_name(self) -> str:
        """Name of the score, with its extractor unless it is FID."""
        primary = self.record.primary
        return distance_name(primary.label, clean(primary.name), primary.verified)

    @property
    def spec(self) -> Spec:
        """The spec of the run, with paths as written."""
        return parse_spec(self.record.spec, str(self.path / "run.json"))

    @property
    def base(self) -> Path:
        """Folder that the spec's relative paths start from."""
        return (self.path / self.record.base).resolve()

    @property
    def store(self) -> Path:
        """Folder of the run's stored work."""
        given = self.spec.execution.store
        return self.path / "store" if given is None else self.base / given.expanduser()

    @property
    def complete(self) -> bool:
        """True if no checkpoint was skipped."""
        return self.record.complete

    def table(self, name: str, columns: tuple[str, ...] = ()) -> pa.Table:
        """Read one table; check the types and values of its columns, and that it has its key and all of `columns`.

        Columns that runs of earlier versions lack are filled in: those of the score, and settings declared later.

        Raises:
            InputError: The file is missing, is not Parquet, or lacks columns or values.
        """
        path = self.path / f"{name}.parquet"
        try:
            table = checked(parse_table(self.content(path.name)), name)
        except FileNotFoundError:
            why = "the run folder is damaged" if self.complete else "the run has not reached this stage"
            raise InputError(f"{path}: missing, {why}; the same `maskbench run` command resumes it") from None
        except pa.ArrowException:
            raise InputError(
                f"{path}: cannot be read as Parquet; the same `maskbench run` command writes it again"
            ) from None
        except ValueError as error:
            raise InputError(f"{path}: {clean(error)}; the same `maskbench run` command writes it again") from None
        if name == "cells":
            table = self._completed(table)
        missing = [column for column in dict.fromkeys((*KEYS[name], *columns)) if column not in table.column_names]
        if missing:
            raise InputError(f"{path}: lacks the column {', '.join(missing)}; run again with this version of maskbench")
        return table

    @property
    def verified(self) -> bool:
        """True if the run recorded the hashes of its files; runs of earlier versions did not."""
        return bool(self.record.files)

    def content(self, name: str) -> bytes:
        """The bytes of a file of the run, checked against the hash that the run recorded, if it did.

        Raises:
            InputError: The file was edited or damaged, or cannot be read.
            FileNotFoundError: There is no such file.
        """
        content = read_bytes(self.path / name)
        recorded = self.record.files.get(name)
        if recorded is not None and hashlib.sha256(content).hexdigest() != recorded:
            raise InputError(
                f"{self.path / name}: edited or damaged: its content does not match its hash in run.json; {REPAIR}"
            )
        return content

    def _completed(self, cells: pa.Table) -> pa.Table:
        """The cells, with the score's columns and the settings that were declared after they were written."""
        for setting in settings():
            if setting.neutral is not None and setting.name not in cells.column_names:
                cells = cells.append_column(setting.name, pa.array([setting.neutral] * cells.num_rows))
        for column in (label.lower() for label in labels_of() if label.lower() in cells.column_names):
            for name, source in (("score", column), ("score_se", f"{column}_se")):
                if name not in cells.column_names and source in cells.column_names:
                    cells = cells.append_column(name, cells[source])
        if "score_name" not in cells.column_names:
            cells = cells.append_column("score_name", pa.array([self.score_name] * cells.num_rows, pa.string()))
        return cells

    def __repr__(self) -> str:
        """One line: Run(results/mine: 30 cells, 256 images, best FID 29.91 cosine-8-6-68267f)."""
        state = "" if self.complete else ", incomplete"
        return f"{type(self).__name__}({clean(self.path)}: {self._summary()}{state})"

    def _summary(self) -> str:
        parts = [f"{len(self.cells)} cells", f"{self.record.data.n_images} images"]
        if (best := self.best) is not None:
            parts.append(f"best {self.score_name} {best.score:.4g} {clean(best.cell_id)}")
        return ", ".join(parts)


def holds_run(path: Path) -> bool:
    """True if a run, finished or not, has written into the folder."""
    return any((path / name).exists() for name in ("run.json", "store", "cells.parquet"))


def open_run(path: Path) -> RunFolder:
    """Open a run folder.

    Raises:
        InputError: There is no such folder, or run.json is missing or not JSON; OtherSchemaError for another schema.
        IncompleteRunError: The folder has stored work but no finished tables.
    """
    record_path = path / "run.json"
    if not path.is_dir():
        raise InputError(f"{path}: no such run folder; `maskbench run GRID.toml --output {path}` creates one")
    try:
        return RunFolder(path, read_record(record_path))
    except FileNotFoundError:
        if holds_run(path):
            raise IncompleteRunError(f"{path}: not finished; the same `maskbench run` command resumes it") from None
        raise InputError(
            f"{path}: not a run folder (run.json is missing); name the folder `maskbench run` wrote"
        ) from None
