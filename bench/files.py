"""JSON and Parquet files: written completely or not at all (by `maskgit.files`), and read with their checksums."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from maskgit.errors import InputError
from maskgit.files import make_writable
from maskgit.files import write_bytes as write_bytes

if TYPE_CHECKING:
    from pathlib import Path


MOST_ROWS, MOST_ROWS_PER_BYTE = 2_000_000, 100
"""Rows of a table that repeats itself: more is a small file made to fill the memory."""


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        InputError: The file cannot be read; the message says why and does not call it damaged.
        FileNotFoundError: There is no such file.
    """
    try:
        if path.exists() and not path.is_file():  # a link to a device would never end
            raise InputError(f"{path}: not a regular file; put a copy of the file there")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable") from None


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file.

    Raises:
        InputError: The file is missing, unreadable or damaged; the message says what to do.
    """
    try:
        return parse_table(read_bytes(path))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; run again") from None
    except pa.ArrowException as error:
        raise InputError(f"{path}: damaged Parquet file ({error}); delete it and run again") from None


def parse_table(content: bytes) -> pa.Table:
    """Parse the bytes of a Parquet file, checking every page that has a checksum.

    Raises:
        ArrowException: The bytes are damaged, or claim far more rows than they can hold; the message is one line.
    """
    try:
        rows = pq.read_metadata(pa.BufferReader(content)).num_rows
        if rows > MOST_ROWS + MOST_ROWS_PER_BYTE * len(content):
            raise pa.ArrowInvalid(f"{rows:,} rows in {len(content):,} bytes")
        return pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise pa.ArrowException(next(iter(str(error).splitlines()), type(error).__name__)) from None


def table_bytes(table: pa.Table) -> bytes:
    """Bytes of a Parquet file with a checksum on every page; equal tables give equal bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, completely or not at all."""
    write_bytes(path, (json.dumps(content, indent=2, default=str) + "\n").encode())


def prepare_folder(path: Path, remedy: str = "choose another --output") -> None:
    """Create a folder if needed, check that it is writable, and remove the unfinished files of a killed command.

    Raises:
        InputError: The folder cannot be created or written to.
    """
    try:
        make_writable(path)
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror}); {remedy}") from None
