"""The tables of a run folder: names, types and meanings of their columns, and the schema version.

A column's meaning is the metadata "description" of its field, also in the Parquet files. A field that is not nullable
has a value in every row.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from bench.files import table_bytes, write_bytes
from bench.grid.settings import settings
from bench.metrics import registry
from bench.metrics.naming import distance_column, label_of
from bench.metrics.registry import FRECHET, KERNEL, image_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.rules import Setting

SCHEMA_VERSION: Literal[3] = 3
SCORE_COLUMNS = ("score", "score_se", "score_name")

INT32, INT64, FLOAT32, FLOAT64 = pa.int32(), pa.int64(), pa.float32(), pa.float64()
TEXT, FLAG = pa.string(), pa.bool_()


def _column(name: str, type_: pa.DataType, meaning: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable, metadata={"description": meaning})


def _column_of(setting: Setting[Any]) -> pa.Field:
    types = {str: TEXT, float: FLOAT64, bool: FLAG, int: INT64 if setting.bits == 64 else INT32}
    return _column(setting.name, types[setting.kind], setting.meaning)


def _distances(label: str) -> list[pa.Field]:
    """The primary extractor's distances with their standard errors: fid and kid, or fd and kd."""
    columns = []
    for metric in (FRECHET, KERNEL):
        name = distance_column(label, metric)
        columns += [
            _column(name, FLOAT64, registry.METRICS[metric].meaning, nullable=True),
            _column(f"{name}_se", FLOAT64, f"Standard error of {name} over images.", nullable=True),
        ]
    return columns


CELL_ID = _column("cell_id", TEXT, "The cell: gamma, T, sweet spot and a digest of every setting.")
TRAJECTORY_ID = _column("trajectory_id", TEXT, "The trajectory: gamma, T and a digest of every setting of decoding.")
IMAGE_ID = _column("image_id", INT64, "Number of the test image.")


def cells_schema(label: str) -> pa.Schema:
    """Schema of cells.parquet, one row per cell; `label` is that of the primary extractor, "FID" or "FD"."""
    return pa.schema(
        [
            CELL_ID,
            TRAJECTORY_ID,
            *map(_column_of, settings()),
            _column("n_images", INT32, "Number of test images."),
            _column("features", TEXT, "Name of the primary extractor, whose Fréchet distance is the score."),
            _column("features_verified", FLAG, "True if its weights are the known ones.", nullable=True),
            *_distances(label),
            *(_column(metric.name, FLOAT64, metric.meaning, nullable=True) for metric in image_metrics()),
            _column("images_per_s", FLOAT64, registry.METRICS["images_per_s"].meaning, nullable=True),
            _column("ms_per_image", FLOAT64, registry.METRICS["ms_per_image"].meaning, nullable=True),
            _column(
                "throughput_source",
                TEXT,
                "derived: computed from unit costs; derived, checked: run.json also has the cell measured end to end.",
                nullable=True,
            ),
            _column("transformer_passes", INT32, "Transformer passes per image (NFE).", nullable=True),
            _column("score", FLOAT64, "The score, lower is better: the value of fid or fd.", nullable=True),
            _column("score_se", FLOAT64, "Standard error of the score over images.", nullable=True),
            _column("score_name", TEXT, "Name of the score, with its extractor unless it is FID.", nullable=True),
        ]
    )


CELLS = cells_schema(label_of(False))
IMAGES = pa.schema(
    [
        CELL_ID,
        IMAGE_ID,
        _column("hole_ratio", FLOAT32, "Share of the image's pixels that are in the hole."),
        _column("token_hole_ratio", FLOAT32, "Share of the image's tokens that are predicted."),
        *(_column(metric.name, FLOAT32, metric.meaning, nullable=True) for metric in image_metrics()),
        _column(
            "influence",
            FLOAT64,
            "Influence of the image on the cell's score; the score's standard error is |influence| / N, that of a"
            " difference of two cells |b − a| / N.",
        ),
    ]
)
STEPS = pa.schema(
    [
        TRAJECTORY_ID,
        IMAGE_ID,
        _column("step", INT32, "Step, from 1."),
        _column("masked_left", INT32, "Tokens still masked after the step."),
        _column(
            "mean_confidence",
            FLOAT32,
            "Mean model probability of the tokens drawn in the step; NaN if no token was drawn.",
            nullable=True,
        ),
    ]
)
NUMBERS = [
    _column("features", TEXT, "The extractor; empty for metrics of pixels and tokens."),
    _column(
        "features_verified", FLAG, "True if its weights are the known ones; null without an extractor.", nullable=True
    ),
    _column("metric", TEXT, "Name of the metric."),
    _column("subset", TEXT, 'The images that count: "all", or "clean" for those that are in no training folder.'),
    _column("value", FLOAT64, "The number.", nullable=True),
    _column("se", FLOAT64, "Its standard error over images; null if there is none.", nullable=True),
    _column("n", INT32, "Number of images."),
]
METRICS = pa.schema([CELL_ID, *NUMBERS])
REFERENCES = pa.schema(
    [
        _column(
            "reference",
            TEXT,
            "The reference row: tokenizer_floor, oracle_filling, one_shot, telea, masked_input, or external: with a name.",
        ),
        _column("checkpoint", TEXT, "Its checkpoint; null for a row that needs no model.", nullable=True),
        _column("compose", TEXT, "Composition of its images.", nullable=True),
        *NUMBERS,
    ]
)
TEST_SET = pa.schema(
    [
        IMAGE_ID,
        _column("block", INT32, "Number of its block, from 0."),
        _column("hole_ratio", FLOAT32, "Share of the image's pixels that are in the hole."),
        _column(
            "copy_of",
            INT64,
            "First image with the same ground-truth pixels: the image itself if there is no earlier one.",
        ),
        _column(
            "in_training",
            FLAG,
            "True if it is in a training folder, pixel by pixel; null if none was given.",
            nullable=True,
        ),
        _column("pixels_sha256", TEXT, "sha256 of the masked image and the mask."),
        _column("mask_sha256", TEXT, "sha256 of the mask."),
        _column("truth_sha256", TEXT, "sha256 of the ground truth."),
    ]
)


def schemas(label: str = label_of(False)) -> dict[str, pa.Schema]:
    """The schemas of the tables of a run folder by name; `label` is that of the primary extractor."""
    return {
        "cells": cells_schema(label),
        "images": IMAGES,
        "steps": STEPS,
        "metrics": METRICS,
        "references": REFERENCES,
        "test_set": TEST_SET,
    }


ROWS = {
    "cells": "One row per cell.",
    "images": "One row per cell and test image.",
    "steps": "One row per trajectory, test image and executed step.",
    "metrics": "One row per cell, extractor, metric and subset of the test images.",
    "references": "One row per reference row, extractor, metric and subset of the test images.",
    "test_set": "One row per test image.",
}
"""The meaning of a row in every table."""


KEYS = {
    "cells": ("cell_id",),
    "images": ("cell_id", "image_id"),
    "steps": ("trajectory_id", "image_id", "step"),
    "metrics": ("cell_id", "features", "metric", "subset"),
    "references": ("reference", "checkpoint", "compose", "features", "metric", "subset"),
    "test_set": ("image_id",),
}
"""The columns that identify a row of every table."""


def checked(table: pa.Table, name: str) -> pa.Table:
    """A table with its known columns cast to their types; unknown columns are kept.

    Raises:
        ValueError: A column's type cannot be converted, a column lacks required values, or two rows have the same key.
    """
    known = {field.name: field for label in (True, False) for field in schemas(label_of(label))[name]}
    for position, column in enumerate(table.column_names):
        if table.column_names.count(column) > 1:
            raise ValueError(f"the column {column} appears twice")
        if column in known:
            table = table.set_column(position, known[column], _checked_values(table[column], known[column]))
    key = [column for column in KEYS[name] if column in table.column_names]
    if len(key) == len(KEYS[name]) and (more := len(table) - len(table.group_by(key).aggregate([]))):
        raise ValueError(f"{more} rows repeat an earlier {' and '.join(key)}")
    return table


def _checked_values(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """The values of a column in the type of its field; numbers are finite, and NaN is allowed only where null is."""
    try:
        values = column.cast(field.type)
    except (pa.ArrowException, TypeError):
        raise ValueError(f"the column {field.name} is {column.type}, expected {field.type}") from None
    invalid = pc.is_null(values, nan_is_null=True) if not field.nullable else pa.array([], pa.bool_())
    if pa.types.is_floating(field.type):
        invalid = pc.or_kleene(invalid, pc.is_inf(values)) if len(invalid) else pc.is_inf(values)
    if n_invalid := pc.sum(invalid).as_py():
        raise ValueError(f"the column {field.name} has no value in {n_invalid} of {len(values)} rows")
    return values


def write_table(path: Path, table: pa.Table) -> str:
    """Write a Parquet file, completely or not at all, with the schema version in its metadata; returns its sha256."""
    metadata = {**(table.schema.metadata or {}), b"maskbench_schema": str(SCHEMA_VERSION).encode()}
    content = table_bytes(table.replace_schema_metadata(metadata))
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()
