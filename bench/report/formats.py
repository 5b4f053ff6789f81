"""`maskbench report`: every format, by name."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.console import Console

from bench.document.output import FILE_WIDTH, emit, write
from bench.document.text import clean
from bench.report import as_table
from bench.report.as_json import render_json
from bench.report.markdown import render_markdown
from bench.report.terminal import render_terminal
from bench.report.view import build
from bench.results.cells import CELL_COLUMNS
from bench.results.folder import open_run
from maskgit.errors import InputError

if TYPE_CHECKING:
    from bench.document.picture import Picture


MakePictures = Callable[[], "Sequence[Picture]"]


@dataclass(frozen=True)
class Request:
    """What is asked for: of which run, where to (None: standard output), which table, how to make pictures if any."""

    run: Path
    output: Path | None
    table: str
    pictures: MakePictures | None


def report(
    run: Path,
    format: str = "rich",
    output: Path | None = None,
    table: str | None = None,
    pictures: MakePictures | None = None,
) -> None:
    """Write the report of a run folder to a file, or to standard output.

    Args:
        run: The run folder.
        format: One of FORMATS.
        output: The file; None: standard output.
        table: For CSV and Parquet: "cells" (if None) or one of as_table.TABLES.
        pictures: For HTML: makes the pictures to show beside the numbers; raises InputError where it cannot. None: none.

    Raises:
        InputError: unknown format or table, missing or damaged run folder, or an output that cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"--format {clean(format)}: unknown; one of {', '.join(FORMATS)}")
    if table is not None and format not in TABLE_FORMATS:
        raise InputError(f"--table: --format {format} holds all tables; choose one with {' or '.join(TABLE_FORMATS)}")
    FORMATS[format](Request(run, output, table or as_table.CELLS, pictures))


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

    if request.output is None and sys.stdout.isatty():
        raise InputError("--format html: a megabyte is no sight for a terminal; name a file with --output")
    view = build(request.run)
    pictures, note = _pictures(request.pictures)
    content = render_html(view, pictures, note).encode("utf-8")
    if request.output is not None:
        write(content, request.output)
    else:
        sys.stdout.buffer.write(content)


def _pictures(make: MakePictures | None) -> tuple[Sequence[Picture], str]:
    """The pictures, or a note for the page; the reason itself, which may name paths of this machine, goes to stderr."""
    if make is None:
        return (), ""
    console = Console(stderr=True)
    try:
        with console.status("drawing pictures") if console.is_terminal else nullcontext():
            return make(), ""
    except InputError as error:
        print(f"note: no pictures: {clean(error)}", file=sys.stderr)
        return (), "the run's data, models or stored work were not at hand when this page was made."


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
