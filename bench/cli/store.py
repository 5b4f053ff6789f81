"""`maskbench store ls` and `maskbench store gc`: the stored work of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import AsJson, Format, TextFormat

RunsFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A run folder, or a folder that holds runs.")]


def store_ls(folder: RunsFolder = Path("results"), format: Format = TextFormat.RICH, as_json: AsJson = False) -> None:
    """Show the stored work of the runs in a folder: its size by kind, and how much of it the runs need.

    Example: maskbench store ls results
    """
    from bench.document.output import publish
    from bench.listing.stores import list_stores, stores_content, stores_document

    stores = list_stores(folder)
    publish(
        TextFormat.JSON if as_json else format,
        lambda: stores_document(folder, stores),
        lambda: stores_content(folder, stores, removed=False),
    )


def store_gc(
    folder: RunsFolder = Path("results"),
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; otherwise only show what would be removed.")] = False,
    format: Format = TextFormat.RICH,
    as_json: AsJson = False,
) -> None:
    """Remove stored work that no run in a folder needs; without --yes, show what would be removed.

    A store that a run is using, or that is outside of the folder, is left alone.

    Example: maskbench store gc results --yes
    """
    from bench.document.output import publish, require_format
    from bench.listing.stores import collect, list_stores, stores_content, stores_document

    require_format(format)
    stores = collect(folder) if yes else list_stores(folder)
    verb = "removed" if yes else "would be removed"
    publish(
        TextFormat.JSON if as_json else format,
        lambda: stores_document(folder, stores, verb),
        lambda: stores_content(folder, stores, removed=yes),
    )
