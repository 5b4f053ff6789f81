"""`maskbench show`: sheets that show how images were decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    Device,
    RunFolderArgument,
)
from bench.cli.completion import cell_ids


def show(
    run: RunFolderArgument,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="A cell's id; may be repeated. The best cell by default.",
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
    by: Annotated[
        str | None, typer.Option(help="Order of --worst: error (default) or influence.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to write to; RUN/pictures by default.", show_default=False),
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=16, help="Screen pixels per image pixel.")] = 2,
    device: Device = None,
) -> None:
    """Draw how images were decoded: the steps of each cell, and a comparison of several cells.

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
