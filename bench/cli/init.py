"""`maskbench init`: a grid.toml made from the contents of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import Format, TextFormat


def init(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[FOLDER]", help="The folder with checkpoint and test images.", show_default=False),
    ] = Path(),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; FOLDER/grid.toml by default.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    format: Format = TextFormat.RICH,
) -> None:
    """Inspect a folder and write a commented grid.toml that runs; nothing in the folder is executed.

    The output lists what was found, what was guessed and why, and what is missing.

    Example: maskbench init my_project
    """
    from bench.document.output import publish
    from bench.files import write_bytes
    from bench.init.proposal import check, propose
    from maskgit.errors import InputError

    grid = output or folder / "grid.toml"
    if grid.exists() and not force:
        raise InputError(f"{grid}: already exists; give --output with another name, or --force to replace it")
    proposal = propose(folder, grid)
    write_bytes(grid, proposal.toml.encode())
    publish(format, lambda: proposal.document, lambda: vars(proposal))
    check(grid)
    typer.echo(f"{grid}: written; next: maskbench plan {grid}")
