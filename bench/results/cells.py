"""The cells of a run and their score, as cells.parquet holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.document.text import clean, fixed, number, score_decimals
from bench.grid.settings import IN_EVERY_TABLE, axes_beside, setting_names
from bench.metrics.naming import distance_column, distance_name, label_of, labels_of
from bench.metrics.registry import METRICS, image_metrics, metrics_of
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from bench.results.record import RunRecord

AXES = axes_beside()
"""What may vary beside gamma, total_iter and sweet_spot; every combination gets tables of its own."""
MEASURES = tuple(metric.name for metric in (*image_metrics(), *metrics_of("time")))
CELL_COLUMNS = (
    "cell_id", "trajectory_id", *setting_names(), "n_images", "features", "features_verified", *MEASURES,
    "throughput_source", "transformer_passes",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """The score of the run, lower is better: key "fid" or "fd", the extractor behind it, its dimension."""

    key: str
    label: str
    features: str
    dim: int | None
    verified: bool
    decimals: int

    @property
    def column(self) -> str:
        """The only name a report gives the score: FID for the official features, else FD with the extractor's name."""
        return distance_name(self.label, clean(self.features), self.verified)

    def show(self, value: float | None, error: float | None = None) -> str:
        """Write a score with the decimals of this run, and its standard error where there is one."""
        return fixed(value, self.decimals) + ("" if error is None else f" ± {fixed(error, self.decimals)}")


@dataclass(frozen=True)
class Cell:
    """One row of the grid. Its settings and measures can be read as attributes too: `cell.gamma`, `cell.psnr_hole_db`.

    Attributes:
        cell_id: Its id.
        trajectory_id: That of its trajectory.
        settings: Every setting by name, in the order of the columns.
        n_images: Number of test images.
        score: None where it is not there yet.
        score_se: Its standard error over images, None where none was computed.
        measures: Every other metric by name, as in `bench.metrics.registry`; None where there is none.
        throughput_source: How the speed was found.
        transformer_passes: Per image.
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
        """All of it in one dictionary, as JSON has it."""
        own = {name: value for name, value in self.__dict__.items() if name not in ("settings", "measures")}
        ids = {name: own.pop(name) for name in ("cell_id", "trajectory_id")}
        return {**ids, **self.settings, **own, **self.measures}


def settings(cell: Cell, varied: dict[str, tuple[Any, ...]]) -> str:
    """Put a cell in words: gamma, T, s and whatever else varies in this run."""
    rest = [f"{axis} {clean(plain(cell.settings[axis]))}" for axis in varied]
    gamma, total_iter, sweet_spot = (cell.settings[name] for name in IN_EVERY_TABLE)
    return " · ".join([clean(gamma), f"T {total_iter}", f"s {sweet_spot}", *rest])


def plain(value: Any) -> str:
    """Write a setting's value as a person would."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(values: dict[str, Any]) -> str:
    """Put settings in words: choice_temperature 4.5 · seed 0."""
    return " · ".join(f"{key} {clean(plain(value))}" for key, value in values.items())


def show_measure(cell: Cell, name: str) -> tuple[str, str]:
    """A measure of a cell with its label, both as a person reads them."""
    return METRICS[name].label, METRICS[name].show(cell.measures.get(name))


def read_score(table: pa.Table, record: RunRecord, run: Path) -> Score:
    """What the score of a run is: called FID only where both the column and the extractor's label say so.

    Raises:
        InputError: No score column, or scores of several extractors.
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
    """The column fid or fd, whichever holds scores."""
    names = [label.lower() for label in labels_of()]
    present = [name for name in names if name in table.column_names]
    filled = [name for name in present if table[name].null_count < table.num_rows]
    if not present:
        raise InputError(f"{path}: lacks the column {' or '.join(names)}; run it again")
    if len(filled) > 1:
        raise InputError(f"{path}: scores of several extractors in one table; run again into an empty folder")
    return (filled or present)[0]


def _one_extractor(table: pa.Table, path: str) -> str:
    """The name of the extractor that all rows have."""
    names = table["features"].unique().to_pylist()
    if len(names) != 1:
        raise InputError(
            f"{path}: scores of several extractors in one table ({clean(', '.join(map(str, names)))}); run again into an"
            " empty folder"
        )
    return str(names[0])


def read_cell(row: dict[str, Any], key: str) -> Cell:
    """One row of cells.parquet; key: the score's column."""
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
