"""`maskbench data catfaces` and `maskbench data masks`: built-in data written to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maskgit.errors import InputError


def data_catfaces(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="Number of faces.")] = 256,
    size: Annotated[int, typer.Option(help="Edge length in pixels: 64 or 128.")] = 64,
) -> None:
    """Write the built-in test set in the lab layout: masked images, masks, and ground truth as a folder and a CSV.

    Example: maskbench data catfaces faces --count 100
    """
    from maskgit.data.export import write_dataset
    from maskgit.data.testset import catfaces_test_set

    write_dataset(catfaces_test_set(count, size), out)
    typer.echo(f"{out}: {count} faces")


def data_masks(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="Number of masks.")] = 256,
    size: Annotated[int, typer.Option(min=8, help="Side in pixels.")] = 64,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Smallest hole, as a share of the image.")] = 0.10,
    most: Annotated[float, typer.Option(min=0.0, max=1.0, help="Largest hole, as a share of the image.")] = 0.30,
) -> None:
    """Write random-walk masks (0 = hole, 255 = known).

    Example: maskbench data masks masks --count 500 --least 0.2 --most 0.4
    """
    from maskgit.data.export import write_masks

    if not 0 < least <= most < 1:
        raise InputError(f"--least {least} --most {most}: give 0 < least ≤ most < 1")
    write_masks(out, count, size, (least, most))
    typer.echo(f"{out}: {count} masks")
