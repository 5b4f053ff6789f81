"""The cells of a run and their score, as stored in cells.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.document.text import clean, fixed, number, score_decimals
from bench.grid.settings import IN_EVERY_TABLE, axes_except, setting_names
from bench.metrics.naming import distance_column, distance_name, label_of, labels_of
from bench.metrics.registry import METRICS, image_metrics, metrics_of
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from bench.results.record import RunRecord

AXES = axes_except()
"""Axes other than gamma, total_iter and sweet_spot; every combination of their values has its own tables."""
MEASURES = tuple(metric.name for metric in (*image_metrics(), *metrics_of("time")))
CELL_COLUMNS = (
    "cell_id", "trajectory_id", *setting_names(), "n_images", "features", "features_verified", *MEASURES,
    "throughput_source", "transformer_passes",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """The score of the run, lower is better: its key "fid" or "fd", its extractor and the dimension of the features."""

    key: str
    label: str
    features: str
    dim: int | None
    verified: bool
    decimals: int

    @property
    def column(self) -> str:
        """Name of the score in reports: FID for the official features, otherwise FD with the extractor's name."""
        return distance_name(self.label, clean(self.features), self.verified)

    def show(self, value: float | None, error: float | None = None) -> str:
        """Write a score with the decimals of this run, and its standard error if there is one."""
        return fixed(value, self.decimals) + ("" if error is None else f" ± {fixed(error, self.decimals)}")


@dataclass(frozen=True)
class Cell:
    """One row of the grid. Its settings and measures can be read as attributes too: `cell.gamma`, `cell.psnr_hole_db`.

    Attributes:
        cell_id: Id of the cell.
        trajectory_id: Id of its trajectory.
        settings: Every setting by name, in the order of the columns.
        n_images: Number of test images.
        score: The score; None if it is not computed yet.
        score_se: Its standard error over images; None if it was not computed.
        measures: Every other metric by name, as in `bench.metrics.registry`; None for a missing value.
        throughput_source: Source of the speed: derived, or derived and checked.
        transformer_passes: Transformer passes per image.
    """

    cell_id: str
    trajectory_id: str
    settings: Mapping[str, Any]
    n_images: int
    score: float | None
    score_se: float | None
    measures: Mapping[str, float | None]
    throughput_source: str | None
    transformer_passes: int | None

    def __getattr__(self, name: str) -> Any:
        for values in ("settings", "measures"):
            if name in (named := self.__dict__.get(values, {})):
                return named[name]
        raise AttributeError(f"a cell has no {name}")

    def row(self) -> dict[str, Any]:
        """The whole cell as one dictionary, as in JSON."""
        own = {name: value for name, value in self.__dict__.items() if name not in ("settings", "measures")}
        ids = {name: own.pop(name) for name in ("cell_id", "trajectory_id")}
        return {**ids, **self.settings, **own, **self.measures}


def settings(cell: Cell, varied: dict[str, tuple[Any, ...]]) -> str:
    """Text that names a cell: gamma, T, s and everything else that varies in this run."""
    rest = [f"{axis} {clean(plain(cell.settings[axis]))}" for axis in varied]
    gamma, total_iter, sweet_spot = (cell.settings[name] for name in IN_EVERY_TABLE)
    return " · ".join([clean(gamma), f"T {total_iter}", f"s {sweet_spot}", *rest])


def plain(value: Any) -> str:
    """Text of a setting's value, without superfluous digits."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(values: dict[str, Any]) -> str:
    """Text that names settings: choice_temperature 4.5 · seed 0."""
    return " · ".join(f"{key} {clean(plain(value))}" for key, value in values.items())


def show_measure(cell: Cell, name: str) -> tuple[str, str]:
    """Label and formatted value of a cell's measure."""
    return METRICS[name].label, METRICS[name].show(cell.measures.get(name))


def read_score(table: pa.Table, record: RunRecord, run: Path) -> Score:
    """Read which score a run has; it is called FID only if both the column and the extractor's label say so.

    Raises:
        InputError: There is no score column, or there are scores of several extractors.
    """
    path = clean(run / "cells.parquet")
    column = _score_column(table, path)
    features = _one_extractor(table, path)
    known = next((entry for entry in record.features if entry.name == features), None)
    official = column == distance_column(label_of(True)) and (known is None or known.label == label_of(True))
    scores = [score for value in table[column].to_pylist() if (score := number(value)) is not None]
    return Score(
        key=column,
        label=label_of(official),
        features=features,
        dim=known.dim if known else None,
        verified=all(table["features_verified"].to_pylist()) and (known is None or known.verified),
        decimals=score_decimals(min(scores, default=1.0)),
    )


def _score_column(table: pa.Table, path: str) -> str:
    """The column of the scores, fid or fd."""
    names = [label.lower() for label in labels_of()]
    present = [name for name in names if name in table.column_names]
    filled = [name for name in present if table[name].null_count < table.num_rows]
    if not present:
        raise InputError(f"{path}: lacks the column {' or '.join(names)}; run it again")
    if len(filled) > 1:
        raise InputError(f"{path}: scores of several extractors in one table; run again into an empty folder")
    return (filled or present)[0]


def _one_extractor(table: pa.Table, path: str) -> str:
    """Name of the extractor, the same in all rows."""
    names = table["features"].unique().to_pylist()
    if len(names) != 1:
        raise InputError(
            f"{path}: scores of several extractors in one table ({clean(', '.join(map(str, names)))}); run again into an"
            " empty folder"
        )
    return str(names[0])


def read_cell(row: dict[str, Any], key: str) -> Cell:
    """The cell in one row of cells.parquet; `key` is the column of the score."""
    return Cell(
        cell_id=row["cell_id"],
        trajectory_id=row["trajectory_id"],
        settings={name: row[name] for name in setting_names()},
        n_images=row["n_images"],
        score=number(row[key]),
        score_se=number(row.get(f"{key}_se")),
        measures={name: number(row[name]) for name in MEASURES},
        throughput_source=row["throughput_source"],
        transformer_passes=row["transformer_passes"],
    )
