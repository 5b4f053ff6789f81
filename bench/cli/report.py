"""`maskbench report`: a finished run as tables or as an HTML page."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.arguments import AsJson, OptionalRun, ReportFormat, run_or_latest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.image import EmbeddedImage

SUFFIXES = {
    ".html": ReportFormat.HTML,
    ".htm": ReportFormat.HTML,
    ".md": ReportFormat.MARKDOWN,
    ".json": ReportFormat.JSON,
    ".csv": ReportFormat.CSV,
    ".parquet": ReportFormat.PARQUET,
}
PAGE = "report.html"


def report(
    run: OptionalRun = None,
    format: Annotated[
        ReportFormat | None, typer.Option(help="The format; by default that of --output, or rich.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file; html goes to RUN/report.html by default.", show_default=False
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(help="For csv and parquet: cells (default), pareto, grids or another table.", show_default=False),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="In the terminal: every section, not only the summary.")] = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="For html: leave out the example images.")] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Write the page and open it in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a finished run as tables, or as a page to open in a browser.

    Example: maskbench report results/mine --open
    """
    from bench.report.formats import report as show
    from bench.report.formats import summary

    folder = run_or_latest(run)
    chosen = format or _implied(output, as_json, open_page)
    if chosen == ReportFormat.RICH and output is None and not full and table is None:
        summary(folder)
    elif chosen == ReportFormat.HTML:
        page = write_page(folder, output, table, images=not no_images)
        typer.echo(page)
        if open_page:
            typer.launch(page.absolute().as_uri())
    else:
        show(folder, chosen, output, table)


def _implied(output: Path | None, as_json: bool, open_page: bool) -> ReportFormat:
    """The format without --format."""
    if as_json:
        return ReportFormat.JSON
    if open_page:
        return ReportFormat.HTML
    return SUFFIXES.get(output.suffix.lower(), ReportFormat.RICH) if output else ReportFormat.RICH


def write_page(run: Path, output: Path | None = None, table: str | None = None, images: bool = True) -> Path:
    """Write a run's page, RUN/report.html by default, and return its path."""
    from bench.report.formats import report as show

    page = output or run / PAGE
    show(run, ReportFormat.HTML, page, table, partial(_report_images, run) if images else None)
    return page


def _report_images(run: Path) -> Sequence[EmbeddedImage]:
    """Example images for a report; imported on demand because drawing them needs torch."""
    from bench.results.folder import open_run
    from bench.show.command import report_images

    return report_images(open_run(run))
