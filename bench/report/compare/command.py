"""`maskbench compare`: builds the view and writes it in one of three formats."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.document.output import FILE_WIDTH, emit
from bench.document.text import clean
from bench.report.compare.as_json import render_json
from bench.report.compare.markdown import render_markdown
from bench.report.compare.terminal import render_terminal
from bench.report.compare.view import build_comparison
from maskgit.errors import InputError

FORMATS = ("rich", "markdown", "json")


def compare(runs: Sequence[Path], format: str = "rich", output: Path | None = None) -> None:
    """Write a comparison of runs with the first of them to a file, or to standard output.

    Raises:
        InputError: Unknown format, fewer than two runs, a run that cannot be read, an output that cannot be written.
        NotComparableError: Scores of different things.
        IncompleteRunError: A run has no tables yet.
    """
    if format not in FORMATS:
        raise InputError(f"--format {clean(format)}: unknown; one of {', '.join(FORMATS)}")
    view = build_comparison(runs)
    if format == "markdown":
        emit(render_markdown(view), output)
    elif format == "json":
        emit(render_json(view), output)
    elif output is None:
        render_terminal(view, Console())
    else:
        buffer = io.StringIO()
        render_terminal(
            view, Console(file=buffer, width=FILE_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
        )
        emit(buffer.getvalue(), output)
