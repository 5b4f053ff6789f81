"""`maskbench report`: a finished run as tables or as an HTML page."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.arguments import (
    RunFolderArgument,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.image import EmbeddedImage


def report(
    run: RunFolderArgument,
    format: Annotated[str, typer.Option(help="rich, markdown, html, json, csv or parquet.")] = "rich",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.", show_default=False)
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(help="For csv and parquet: cells (default), pareto, grids or another table.", show_default=False),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="For html: leave out the example images.")] = False,
) -> None:
    """Show a finished run as tables, or as a page to open in a browser.

    Example: maskbench report results/mine --format html --output report.html
    """
    from bench.report.formats import report as show

    show(run, format, output, table, None if no_images else partial(_report_images, run))


def _report_images(run: Path) -> Sequence[EmbeddedImage]:
    """Example images for a report; imported on demand because drawing them needs torch."""
    from bench.results.folder import open_run
    from bench.show.command import report_images

    return report_images(open_run(run))
