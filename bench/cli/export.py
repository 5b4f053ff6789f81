"""`maskbench export`: the images of a cell as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    CELL_HELP,
    Device,
    RunFolderArgument,
)
from bench.cli.completion import cell_ids


def export(
    run: RunFolderArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A new folder.", show_default=False)],
    cell: Annotated[str, typer.Option(help=f"The cell: {CELL_HELP}.", show_default=False, autocompletion=cell_ids)],
    device: Device = None,
) -> None:
    """Write the images of a cell as image_000.png …, for use in other tools.

    Example: maskbench export results/mine images --cell cosine-8-4-1a2b3c
    """
    from bench.report.cell_names import cell_ids_of
    from bench.results.folder import open_run
    from bench.show.export import export_cell

    (cell_id,) = cell_ids_of(run, [cell])
    count = export_cell(open_run(run), cell_id, out, device)
    typer.echo(f"{out}: {count} images")
