"""Renderings of a view, for the tests that compare formats."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from bench.document.markdown import render_markdown
from bench.document.terminal import render_terminal
from bench.report.document import report_document

if TYPE_CHECKING:
    from bench.report.view import View


def terminal(view: View, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    """The report as shown by a terminal of this width."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=colour, legacy_windows=False)
    render_terminal(report_document(view), console)
    stream.flush()
    return raw.getvalue().decode(encoding)


def markdown(view: View) -> str:
    """The report as Markdown."""
    return render_markdown(report_document(view))
