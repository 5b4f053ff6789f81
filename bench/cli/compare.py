"""`maskbench compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import AsJson, Format, TextFormat


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Run folders; the first is the reference.")],
    format: Format = TextFormat.RICH,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs side by side: scores, and their differences from the first run with standard errors.

    Cells are matched by their settings. Exit code 3 if test sets, extractors or metrics differ.

    Example: maskbench compare results/epoch-10 results/epoch-20 --format markdown
    """
    from bench.report.compare.command import compare as put_side_by_side

    put_side_by_side(runs, TextFormat.JSON if as_json else format, output)
