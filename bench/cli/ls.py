"""`maskbench ls`: the runs in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import AsJson, Format, TextFormat


def ls(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that holds runs.")] = Path("results"),
    format: Format = TextFormat.RICH,
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder: name, date, cells, images, best cell, and whether they are complete.

    Example: maskbench ls results --json
    """
    from bench.document.output import publish
    from bench.listing.runs import list_runs, runs_content, runs_document

    runs = list_runs(folder)
    publish(
        TextFormat.JSON if as_json else format, lambda: runs_document(folder, runs), lambda: runs_content(folder, runs)
    )
