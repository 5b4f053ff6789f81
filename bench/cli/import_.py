"""`maskbench import`: a checkpoint of the lab layout as safetensors and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_(
    lab_folder: Annotated[Path, typer.Argument(metavar="LAB_FOLDER", help="A checkpoint in the lab layout.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
) -> None:
    """Turn a checkpoint of the lab layout into safetensors and JSON.

    Example: maskbench import my_model/ checkpoints/mine
    """
    from maskgit.checkpoints.native import import_checkpoint

    import_checkpoint(lab_folder, out)
    typer.echo(f"{out}: imported")
