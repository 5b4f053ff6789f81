"""`maskbench show`: sheets that show how images were decoded."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    CELL_HELP,
    Device,
    OptionalRun,
    run_or_latest,
)
from bench.cli.completion import cell_ids


class WorstBy(StrEnum):
    """Orders of the worst images."""

    ERROR = "error"
    INFLUENCE = "influence"


def show(
    run: OptionalRun = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A cell: {CELL_HELP}. May be repeated; the best cell by default.",
            show_default=False,
            autocompletion=cell_ids,
        ),
    ] = None,
    image: Annotated[
        list[int] | None,
        typer.Option(help="An image's id; may be repeated. Four from easy to hard by default.", show_default=False),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(
            metavar="K", min=1, max=64, help="Draw the K worst images of the first cell instead.", show_default=False
        ),
    ] = None,
    by: Annotated[WorstBy | None, typer.Option(help="Order of --worst; error by default.", show_default=False)] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to write to; RUN/pictures by default.", show_default=False),
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=16, help="Screen pixels per image pixel.")] = 2,
    device: Device = None,
) -> None:
    """Draw how images were decoded: the steps of each cell, and a comparison of several cells.

    Example: maskbench show results/mine --cell best --cell gamma=linear,T=8,s=4 --worst 4 --by influence
    """
    from bench.report.cell_names import cell_ids_of
    from bench.results.folder import open_run
    from bench.show.command import show_run

    folder = run_or_latest(run)
    files = show_run(
        open_run(folder),
        cells=cell_ids_of(folder, cell or ()),
        images=image or (),
        worst=worst,
        by=by,
        output=output,
        scale=scale,
        device=device,
    )
    for path in files:
        typer.echo(path)
