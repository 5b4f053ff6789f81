"""Samples of features in Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.fid.kinds import Features
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def read_features(path: Path, name: str) -> Features:
    """Read the column `feature` (lists of equal length), ordered by the column `image_id` if there is one.

    Raises:
        InputError: The file is damaged, or contains something else.
    """
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{name}: damaged Parquet file ({str(error).splitlines()[0]}); write it again") from None
    if "feature" not in table.column_names:
        raise InputError(
            f"{name}: no column feature, but {', '.join(map(one_line, table.column_names))}; "
            "write one list of numbers per image into a column of that name"
        )
    values = _matrix(table["feature"].combine_chunks(), name)
    if "image_id" not in table.column_names:
        return Features(name, None, values)
    column = table["image_id"]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise InputError(f"{name}: column image_id is {column.type} or has nulls; write a whole number per image")
    ids = column.to_numpy()
    order = np.argsort(ids, kind="stable")
    repeated = ids[order][1:][np.diff(ids[order]) == 0]
    if len(repeated):
        raise InputError(f"{name}: several rows for image {repeated[0]}; write one row per image")
    return Features(name, tuple(ids[order].tolist()), values[order])


def _matrix(column: pa.Array, name: str) -> NDArray[np.generic]:
    """Lists of equal length as a matrix (N, D)."""
    remedy = "write one list of numbers per image, all of equal length"
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    if not (is_list or pa.types.is_fixed_size_list(column.type)):
        raise InputError(f"{name}: column feature is {column.type}; {remedy}")
    flat = column.flatten()
    if column.null_count or flat.null_count:
        raise InputError(f"{name}: nulls in column feature; {remedy}")
    if len(column) and (
        len(flat) % len(column) or set(column.value_lengths().to_pylist()) != {len(flat) // len(column)}
    ):
        raise InputError(f"{name}: lists of different lengths in column feature; {remedy}")
    values: NDArray[np.generic] = flat.to_numpy(zero_copy_only=False)
    return values.reshape(len(column), -1 if len(column) else 0)
