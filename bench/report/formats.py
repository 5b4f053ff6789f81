"""`maskbench report`: every format, by name."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.console import Console

from bench.document.output import emit, publish, require_format, write
from bench.document.text import clean
from bench.report import as_table
from bench.report.as_json import report_content
from bench.report.document import report_document
from bench.report.short import short_document
from bench.report.view import build
from bench.results.cells import CELL_COLUMNS
from bench.results.folder import open_run
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.document.image import EmbeddedImage

MakeImages = Callable[[], "Sequence[EmbeddedImage]"]


@dataclass(frozen=True)
class Request:
    """A report to write.

    Attributes:
        run: The run folder.
        output: The file; None: standard output.
        table: For CSV and Parquet: the name of the table.
        images: For HTML: makes the example images; None: no images.
    """

    run: Path
    output: Path | None
    table: str
    images: MakeImages | None


def report(
    run: Path,
    format: str = "rich",
    output: Path | None = None,
    table: str | None = None,
    images: MakeImages | None = None,
) -> None:
    """Write the report of a run folder to a file, or to standard output.

    Args:
        run: The run folder.
        format: One of FORMATS.
        output: The file; None: standard output.
        table: For CSV and Parquet: "cells" (if None) or one of as_table.TABLES.
        images: For HTML: makes the example images, or raises InputError if it cannot; None: no images.

    Raises:
        InputError: The format or table is unknown, the run folder is missing or damaged, or the output is not writable.
    """
    require_format(format, tuple(FORMATS))
    if table is not None and format not in TABLE_FORMATS:
        raise InputError(f"--table: --format {format} has all tables; choose one with {' or '.join(TABLE_FORMATS)}")
    FORMATS[format](Request(run, output, table or as_table.CELLS, images))


def summary(run: Path) -> None:
    """Print the short report of a run to standard output.

    Raises:
        InputError: The run folder is missing or damaged.
    """
    document = short_document(build(run), run, page=(run / "report.html").is_file())
    publish("rich", lambda: document, dict)


def _text(format: str) -> Callable[[Request], None]:
    """The writer of a format that every report supports."""

    def write_text(request: Request) -> None:
        view = build(request.run)
        publish(format, lambda: report_document(view), lambda: report_content(view), request.output)

    return write_text


def _html(request: Request) -> None:
    """Write the page in UTF-8 without changes, since the browser runs only scripts whose bytes have the expected hash."""
    from bench.report.html.render import render_html  # loads Vega, which no other format needs

    view = build(request.run)
    images, note = _images(request.images)
    content = render_html(view, images, note).encode("utf-8")
    if request.output is not None:
        write(content, request.output)
    else:
        sys.stdout.buffer.write(content)


def _images(make: MakeImages | None) -> tuple[Sequence[EmbeddedImage], str]:
    """The images, or a note for the page; the reason, which may contain paths of this machine, goes to stderr."""
    if make is None:
        return (), ""
    console = Console(stderr=True)
    try:
        with console.status("drawing images") if console.is_terminal else nullcontext():
            return make(), ""
    except InputError as error:
        print(f"note: no images: {clean(error)}", file=sys.stderr)
        return (), "the run's data, models or stored work were not available when this page was made."


def _table(request: Request) -> pa.Table:
    if request.table == as_table.CELLS:
        return open_run(request.run).table("cells", CELL_COLUMNS)
    return as_table.table(build(request.run), request.table)


def _csv(request: Request) -> None:
    """Write one table as CSV, with terminal control sequences removed from its strings."""
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
        raise InputError("--format parquet: binary output; name a file with --output")
    buffer = io.BytesIO()
    pq.write_table(_table(request), buffer)
    write(buffer.getvalue(), request.output)


FORMATS: dict[str, Callable[[Request], None]] = {
    "rich": _text("rich"),
    "markdown": _text("markdown"),
    "html": _html,
    "json": _text("json"),
    "csv": _csv,
    "parquet": _parquet,
}
TABLE_FORMATS = ("csv", "parquet")
