"""Showing what a run found: report, compare, show, export."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.arguments import Device, RunFolderArgument
from bench.cli.completion import cell_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.picture import Picture


def report(
    run: RunFolderArgument,
    format: Annotated[str, typer.Option(help="rich, markdown, html, json, csv or parquet.")] = "rich",
    output: Annotated[Path | None, typer.Option(help="Write to this file.", show_default=False)] = None,
    table: Annotated[
        str | None,
        typer.Option(help="For csv and parquet: cells (default), pareto, grids or another plot's.", show_default=False),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="For html: leave the pictures out.")] = False,
) -> None:
    """Show a finished run: tables, or a page to open in a browser.

    Example: maskbench report results/mine --format html --output report.html
    """
    from bench.report.formats import report as show

    show(run, format, output, table, None if no_images else partial(_report_pictures, run))


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Run folders; the first is the reference.")],
    format: Annotated[str, typer.Option(help="rich, markdown or json.")] = "rich",
    output: Annotated[Path | None, typer.Option(help="Write to this file.", show_default=False)] = None,
) -> None:
    """Put runs side by side: scores, and their differences from the first run with standard errors.

    Cells are joined on their settings; exit code 3 if test sets, extractors or metrics differ.

    Example: maskbench compare results/epoch-10 results/epoch-20 --format markdown
    """
    from bench.report.compare.command import compare as put_side_by_side

    put_side_by_side(runs, format, output)


def show(
    run: RunFolderArgument,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="A cell's id; may be repeated. The best cell, if not given.",
            show_default=False,
            autocompletion=cell_ids,
        ),
    ] = None,
    image: Annotated[
        list[int] | None,
        typer.Option(help="An image's id; may be repeated. Four from easy to hard, if not given.", show_default=False),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, max=64, help="Instead, the first cell's K worst images.", show_default=False),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="What makes them the worst: error (default) or influence.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The folder to write to; RUN/pictures if not given.", show_default=False)
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=16, help="Screen pixels a pixel.")] = 2,
    device: Device = None,
) -> None:
    """Draw how images were decoded: the steps of each cell, and several cells side by side.

    Example: maskbench show results/mine --cell cosine-8-8-1a2b3c --cell linear-8-4-4d5e6f --worst 4 --by influence
    """
    from bench.results.folder import open_run
    from bench.show.command import show_run

    files = show_run(
        open_run(run),
        cells=cell or (),
        images=image or (),
        worst=worst,
        by=by,
        output=output,
        scale=scale,
        device=device,
    )
    for path in files:
        typer.echo(path)


def export(
    run: RunFolderArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A new folder.", show_default=False)],
    cell: Annotated[
        str, typer.Option(help="The cell's id, as in cells.parquet.", show_default=False, autocompletion=cell_ids)
    ],
    device: Device = None,
) -> None:
    """Write the images of a cell as image_000.png …, for any other tool.

    Example: maskbench export results/mine pictures --cell cosine-8-4-1a2b3c
    """
    from bench.results.folder import open_run
    from bench.show.export import export_cell

    count = export_cell(open_run(run), cell, out, device)
    typer.echo(f"{out}: {count} images")


def _report_pictures(run: Path) -> Sequence[Picture]:
    """Pictures for a report: here, because drawing them takes torch."""
    from bench.results.folder import open_run
    from bench.show.command import report_pictures

    return report_pictures(open_run(run))
