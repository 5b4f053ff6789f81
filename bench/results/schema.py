"""The tables of a run folder: names and types of their columns, and the version of them all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from bench.files import table_bytes, write_bytes

SCHEMA_VERSION = 3

CELLS = pa.schema(
    [
        ("cell_id", pa.string()),
        ("trajectory_id", pa.string()),
        ("checkpoint", pa.string()),
        ("gamma", pa.string()),
        ("total_iter", pa.int32()),
        ("sweet_spot", pa.int32()),
        ("choice_temperature", pa.float64()),
        ("sampling_temperature", pa.float64()),
        ("confidence", pa.string()),
        ("anneal", pa.string()),
        ("sampling", pa.string()),
        ("fix_at_least_one", pa.bool_()),
        ("compose", pa.string()),
        ("seed", pa.int64()),
        ("n_images", pa.int32()),
        ("features", pa.string()),
        ("features_verified", pa.bool_()),
        ("fd", pa.float64()),  # named `fid` where the extractor is FID's own network
        ("fd_se", pa.float64()),  # standard error over images; `fid_se` likewise
        ("kd", pa.float64()),  # kernel distance on the same features; `kid` where `fd` is `fid`
        ("kd_se", pa.float64()),
        ("psnr_hole_db", pa.float64()),
        ("mae_hole", pa.float64()),
        ("ssim_hole", pa.float64()),
        ("psnr_ring_db", pa.float64()),
        ("ssim_ring", pa.float64()),
        ("token_accuracy", pa.float64()),
        ("truth_nll_nats", pa.float64()),
        ("images_per_s", pa.float64()),
        ("ms_per_image", pa.float64()),
        ("throughput_source", pa.string()),  # "derived"; "derived, checked" where run.json has it measured whole
        ("transformer_passes", pa.int32()),
    ]
)
IMAGES = pa.schema(
    [
        ("cell_id", pa.string()),
        ("image_id", pa.int64()),
        ("hole_ratio", pa.float32()),
        ("token_hole_ratio", pa.float32()),
        ("psnr_hole_db", pa.float32()),
        ("mae_hole", pa.float32()),
        ("ssim_hole", pa.float32()),
        ("psnr_ring_db", pa.float32()),
        ("ssim_ring", pa.float32()),
        ("token_accuracy", pa.float32()),
        ("truth_nll_nats", pa.float32()),
        ("influence", pa.float64()),  # on the cell's score; SE = |influence| / N, of a difference |b - a| / N
    ]
)
STEPS = pa.schema(
    [
        ("trajectory_id", pa.string()),
        ("image_id", pa.int64()),
        ("step", pa.int32()),
        ("masked_left", pa.int32()),
        ("mean_confidence", pa.float32()),
    ]
)
NUMBERS = [
    ("features", pa.string()),  # the extractor; empty for numbers of pixels and tokens
    ("features_verified", pa.bool_()),  # whether its weights are the known ones; null where there is none
    ("metric", pa.string()),
    ("subset", pa.string()),  # "all" test images, or the "clean" ones
    ("value", pa.float64()),
    ("se", pa.float64()),  # over images; null where there is none
    ("n", pa.int32()),
]
METRICS = pa.schema([("cell_id", pa.string()), *NUMBERS])
REFERENCES = pa.schema([("reference", pa.string()), ("checkpoint", pa.string()), ("compose", pa.string()), *NUMBERS])
TEST_SET = pa.schema(
    [
        ("image_id", pa.int64()),
        ("block", pa.int32()),
        ("hole_ratio", pa.float32()),
        ("copy_of", pa.int64()),  # the first image with the same ground-truth pixels: itself where there is none before
        ("in_training", pa.bool_()),  # pixel by pixel, in a training folder; null where none was given
        ("pixels_sha256", pa.string()),  # of the masked image and the mask
        ("mask_sha256", pa.string()),
        ("truth_sha256", pa.string()),
    ]
)


def cells_schema(label: str) -> pa.Schema:
    """Schema of cells.parquet; its distances are `fid` and `kid`, or `fd` and `kd`, by the extractor's label."""
    names = score_columns(label)
    return pa.schema([field.with_name(names.get(field.name, field.name)) for field in CELLS])


def score_columns(label: str) -> dict[str, str]:
    """What the columns of the distances and their errors are called, by the name they have in `CELLS`."""
    fid = {"fd": "fid", "fd_se": "fid_se", "kd": "kid", "kd_se": "kid_se"}
    return fid if label == "FID" else {name: name for name in fid}


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file, whole or not at all, with the schema version in its metadata."""
    metadata = {**(table.schema.metadata or {}), b"maskbench_schema": str(SCHEMA_VERSION).encode()}
    write_bytes(path, table_bytes(table.replace_schema_metadata(metadata)))
