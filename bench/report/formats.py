"""`maskbench report`: every format, by name."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.console import Console

from bench.folder import open_run
from bench.report.as_json import render_json
from bench.report.cells import CELL_COLUMNS
from bench.report.markdown import render_markdown
from bench.report.terminal import render_terminal
from bench.report.text import clean
from bench.report.view import build
from bench.store import write_bytes
from maskgit.errors import InputError

FILE_WIDTH = 100


def report(run: Path, format: str = "rich", output: Path | None = None) -> None:
    """Write the report of a run folder to a file, or to standard output.

    Raises:
        InputError: unknown format, missing or damaged run folder, or an output that cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"--format {clean(format)}: unknown; one of {', '.join(FORMATS)}")
    FORMATS[format](run, output)


def write(content: bytes, output: Path) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        write_bytes(output, content)
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error.strerror}); name another file") from None


def _text(content: str, output: Path | None) -> None:
    if output is not None:
        write(content.encode("utf-8"), output)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(content.encode(encoding, "xmlcharrefreplace").decode(encoding))


def _rich(run: Path, output: Path | None) -> None:
    view = build(run)
    if output is None:
        render_terminal(view, Console())
        return
    buffer = io.StringIO()
    render_terminal(
        view,
        Console(file=buffer, width=FILE_WIDTH, color_system=None, force_terminal=False, legacy_windows=False),
    )
    _text(buffer.getvalue(), output)


def _markdown(run: Path, output: Path | None) -> None:
    _text(render_markdown(build(run)), output)


def _json(run: Path, output: Path | None) -> None:
    _text(render_json(build(run)), output)


def _cells(run: Path) -> pa.Table:
    return open_run(run).table("cells", CELL_COLUMNS)


def _csv(run: Path, output: Path | None) -> None:
    """cells.parquet as CSV, with what could steer a terminal taken out of its strings."""
    cells = _cells(run)
    for i, column in enumerate(cells.schema):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = [None if text is None else clean(text) for text in cells[column.name].to_pylist()]
            cells = cells.set_column(i, column.name, pa.array(texts, pa.string()))
    buffer = io.BytesIO()
    pa_csv.write_csv(cells, buffer)
    _text(buffer.getvalue().decode("utf-8"), output)


def _parquet(run: Path, output: Path | None) -> None:
    if output is None:
        raise InputError("--format parquet: binary, so name a file with --output")
    buffer = io.BytesIO()
    pq.write_table(_cells(run), buffer)
    write(buffer.getvalue(), output)


FORMATS: dict[str, Callable[[Path, Path | None], None]] = {
    "rich": _rich,
    "markdown": _markdown,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
