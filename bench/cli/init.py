"""`maskbench init`: a grid.toml of what a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import Format


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where checkpoint and test images are.", show_default=False)
    ] = Path(),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; FOLDER/grid.toml if not given.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
    format: Format = "rich",
) -> None:
    """Look around in a folder and write a commented grid.toml that runs; nothing in the folder is executed.

    It shows what it found, what it guessed and why, and what is missing.

    Example: maskbench init my_project
    """
    from bench.document.output import publish
    from bench.files import write_bytes
    from bench.init.proposal import check, propose
    from maskgit.errors import InputError

    grid = output or folder / "grid.toml"
    if grid.exists() and not force:
        raise InputError(f"{grid}: is there already; give --output with another name, or --force to replace it")
    proposal = propose(folder, grid)
    write_bytes(grid, proposal.toml.encode())
    publish(format, lambda: proposal.document, lambda: vars(proposal))
    check(grid)
    typer.echo(f"{grid}: written; next: maskbench plan {grid}")
