"""`maskbench report`: every format, by name."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.console import Console

from bench.folder import open_run
from bench.report import as_table
from bench.report.as_json import render_json
from bench.report.cells import CELL_COLUMNS
from bench.report.markdown import render_markdown
from bench.report.output import FILE_WIDTH, emit, write
from bench.report.terminal import render_terminal
from bench.report.text import clean
from bench.report.view import build
from maskgit.errors import InputError

if TYPE_CHECKING:
    from bench.report.picture import Picture


@dataclass(frozen=True)
class Request:
    """What is asked for: of which run, where to (None: standard output), which table, which pictures or why none."""

    run: Path
    output: Path | None
    table: str
    pictures: Sequence[Picture]
    pictures_note: str


def report(
    run: Path,
    format: str = "rich",
    output: Path | None = None,
    table: str | None = None,
    pictures: Sequence[Picture] = (),
    pictures_note: str = "",
) -> None:
    """Write the report of a run folder to a file, or to standard output.

    Args:
        run: The run folder.
        format: One of FORMATS.
        output: The file; None: standard output.
        table: For CSV and Parquet: "cells" (if None) or one of as_table.TABLES.
        pictures: For HTML: what to show beside the numbers.
        pictures_note: For HTML: why there are no pictures, where some were wanted.

    Raises:
        InputError: unknown format or table, missing or damaged run folder, or an output that cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"--format {clean(format)}: unknown; one of {', '.join(FORMATS)}")
    if table is not None and format not in TABLE_FORMATS:
        raise InputError(f"--table: --format {format} holds all tables; choose one with {' or '.join(TABLE_FORMATS)}")
    FORMATS[format](Request(run, output, table or as_table.CELLS, pictures, pictures_note))


def _rich(request: Request) -> None:
    view = build(request.run)
    if request.output is None:
        render_terminal(view, Console())
        return
    buffer = io.StringIO()
    render_terminal(
        view,
        Console(file=buffer, width=FILE_WIDTH, color_system=None, force_terminal=False, legacy_windows=False),
    )
    emit(buffer.getvalue(), request.output)


def _markdown(request: Request) -> None:
    emit(render_markdown(build(request.run)), request.output)


def _html(request: Request) -> None:
    """The page in UTF-8 as it is, since the browser runs only scripts whose bytes have the hash it expects."""
    from bench.report.html.render import render_html  # loads Vega, which no other format needs

    content = render_html(build(request.run), request.pictures, request.pictures_note).encode("utf-8")
    if request.output is not None:
        write(content, request.output)
    elif sys.stdout.isatty():
        raise InputError("--format html: a megabyte is no sight for a terminal; name a file with --output")
    else:
        sys.stdout.buffer.write(content)


def _json(request: Request) -> None:
    emit(render_json(build(request.run)), request.output)


def _table(request: Request) -> pa.Table:
    if request.table == as_table.CELLS:
        return open_run(request.run).table("cells", CELL_COLUMNS)
    return as_table.table(build(request.run), request.table)


def _csv(request: Request) -> None:
    """One table as CSV, with what could steer a terminal taken out of its strings."""
    table = _table(request)
    for i, column in enumerate(table.schema):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = [None if text is None else clean(text) for text in table[column.name].to_pylist()]
            table = table.set_column(i, column.name, pa.array(texts, pa.string()))
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    emit(buffer.getvalue().decode("utf-8"), request.output)


def _parquet(request: Request) -> None:
    if request.output is None:
        raise InputError("--format parquet: binary, so name a file with --output")
    buffer = io.BytesIO()
    pq.write_table(_table(request), buffer)
    write(buffer.getvalue(), request.output)


FORMATS: dict[str, Callable[[Request], None]] = {
    "rich": _rich,
    "markdown": _markdown,
    "html": _html,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
TABLE_FORMATS = ("csv", "parquet")
