"""Files on disk: JSON and Parquet, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskgit.errors import InputError
from maskgit.writable import make_writable


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file.

    Raises:
        InputError: The file is damaged; the message says what to do.
    """
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged Parquet file ({reason}); delete it and run again") from None


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=2, default=str) + "\n").encode())


def write_bytes(path: Path, content: Any) -> None:
    """Write a file through a temporary neighbour and a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def prepare_folder(path: Path, remedy: str = "choose another --output") -> None:
    """Make sure a folder exists and takes files.

    Raises:
        InputError: It cannot be made or written to.
    """
    try:
        make_writable(path)
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); {remedy}") from None
