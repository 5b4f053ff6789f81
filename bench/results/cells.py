"""The cells of a run and their score, as cells.parquet holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.document.text import clean, fixed, number, score_decimals
from bench.results.record import RunRecord
from maskgit.errors import InputError

# What may vary beside gamma, total_iter and sweet_spot; every combination gets tables of its own.
AXES = (
    "checkpoint", "choice_temperature", "sampling_temperature", "confidence", "anneal", "sampling", "fix_at_least_one",
    "compose", "seed",
)  # fmt: skip
MEASURES = ("psnr_hole_db", "mae_hole", "token_accuracy", "images_per_s", "ms_per_image")
CELL_COLUMNS = (
    "cell_id", "trajectory_id", "gamma", "total_iter", "sweet_spot", *AXES, "n_images", "features", "features_verified",
    *MEASURES, "throughput_source", "transformer_passes",
)  # fmt: skip


def distance_name(label: str, features: str, verified: bool) -> str:
    """Name a distance: FID and KID alone stand without their extractor."""
    notes = [] if label in ("FID", "KID") else [clean(features)]
    notes += [] if verified else ["unverified"]
    return f"{label} ({', '.join(notes)})" if notes else label


@dataclass(frozen=True)
class Metric:
    """The score of the run (lower is better): key "fid" or "fd", the extractor behind it, its dimension."""

    key: str
    label: str
    features: str
    dim: int | None
    verified: bool
    decimals: int
    lower_is_better: bool = True

    @property
    def column(self) -> str:
        """The only name a report gives the score: FID for the official features, else FD with the extractor's name."""
        return distance_name(self.label, self.features, self.verified)

    def show(self, value: float | None, error: float | None = None) -> str:
        """Write a score with the decimals of this run, and its standard error where there is one."""
        return fixed(value, self.decimals) + ("" if error is None else f" ± {fixed(error, self.decimals)}")


@dataclass(frozen=True)
class Cell:
    """One row of the grid; mae_hole in grey levels 0..255.

    score is None where it is not there yet; score_se, its standard error over images, where none was computed.
    """

    cell_id: str
    trajectory_id: str
    checkpoint: str
    gamma: str
    total_iter: int
    sweet_spot: int
    choice_temperature: float
    sampling_temperature: float
    confidence: str
    anneal: str
    sampling: str
    fix_at_least_one: bool
    compose: str
    seed: int
    n_images: int
    score: float | None
    psnr_hole_db: float | None
    mae_hole: float | None
    token_accuracy: float | None
    images_per_s: float | None
    ms_per_image: float | None
    throughput_source: str | None
    transformer_passes: int | None
    score_se: float | None = None


def settings(cell: Cell, varied: dict[str, tuple[Any, ...]]) -> str:
    """Put a cell in words: gamma, T, s and whatever else varies in this run."""
    rest = [f"{axis} {clean(plain(getattr(cell, axis)))}" for axis in varied]
    return " · ".join([clean(cell.gamma), f"T {cell.total_iter}", f"s {cell.sweet_spot}", *rest])


def plain(value: Any) -> str:
    """Write a setting's value as a person would."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe(values: dict[str, Any]) -> str:
    """Put settings in words: choice_temperature 4.5 · seed 0."""
    return " · ".join(f"{key} {clean(plain(value))}" for key, value in values.items())


def read_metric(table: pa.Table, record: RunRecord, run: Path) -> Metric:
    """Find the score column: it is called FID only where both the column and the extractor's label say so.

    Raises:
        InputError: No score column, or scores of several extractors.
    """
    keys = [key for key in ("fid", "fd") if key in table.column_names and table[key].null_count < table.num_rows]
    keys = keys or [key for key in ("fid", "fd") if key in table.column_names]
    if not keys:
        raise InputError(f"{clean(run / 'cells.parquet')}: lacks the column fid or fd; run it again")
    names = set(table["features"].to_pylist())
    if len(keys) > 1 or len(names) > 1:
        raise InputError(
            f"{clean(run / 'cells.parquet')}: scores of several extractors in one table"
            f" ({clean(', '.join(map(str, names)))}); run again into an empty folder"
        )
    name = str(names.pop())
    known = next((features for features in record.features if features.name == name), None)
    official = keys[0] == "fid" and (known is None or known.label == "FID")
    verified = all(table["features_verified"].to_pylist()) and (known is None or known.verified)
    finite = [s for v in table[keys[0]].to_pylist() if (s := number(v)) is not None]
    return Metric(
        key=keys[0],
        label="FID" if official else "FD",
        features=name,
        dim=known.dim if known else None,
        verified=verified,
        decimals=score_decimals(min(finite, default=1.0)),
    )


def read_cell(row: dict[str, Any], key: str) -> Cell:
    """One row of cells.parquet; key: the score's column."""
    plain = {name: row[name] for name in Cell.__dataclass_fields__ if name not in ("score", "score_se")}
    scores = {"score": number(row[key]), "score_se": number(row.get(f"{key}_se"))}
    return Cell(**{**plain, **{name: number(row[name]) for name in MEASURES}, **scores})
