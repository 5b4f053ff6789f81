"""Making what a grid needs: import, train, data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.group import GO_ON
from maskgit.errors import InputError

RESUME = "the same command with --resume goes on from the last state saved"
Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The recipe.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
TrainOutput = Annotated[
    Path | None, typer.Option(help="Where to write; the recipe says, if not given.", show_default=False)
]
DataRoot = Annotated[
    Path | None, typer.Option(help="Folder that the recipe's data folders lie in.", show_default=False)
]


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


def train_tokenizer(
    ctx: typer.Context, config: Config, resume: Resume = False, output: TrainOutput = None, data_root: DataRoot = None
) -> None:
    """Stage 1: train a VQGAN.

    Example: maskbench train tokenizer recipe.toml --data-root ~/pictures --output checkpoints/tokenizer
    """
    from maskgit.training.tokenizer_stage import train_tokenizer as train

    ctx.meta[GO_ON] = RESUME
    train(config, resume=resume, output=output, data_root=data_root)


def train_transformer(
    ctx: typer.Context, config: Config, resume: Resume = False, output: TrainOutput = None, data_root: DataRoot = None
) -> None:
    """Stage 2: train a transformer by masked token modelling.

    Example: maskbench train transformer recipe.toml --resume
    """
    from maskgit.training.transformer_stage import train_transformer as train

    ctx.meta[GO_ON] = RESUME
    train(config, resume=resume, output=output, data_root=data_root)


def data_catfaces(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="How many faces.")] = 256,
) -> None:
    """Write the built-in test set in the lab layout: masked images, masks, ground truth as folder and CSV.

    Example: maskbench data catfaces faces --count 100
    """
    from maskgit.data.export import write_dataset
    from maskgit.data.testset import catfaces_test_set

    write_dataset(catfaces_test_set(count), out)
    typer.echo(f"{out}: {count} faces")


def data_masks(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="How many masks.")] = 256,
    size: Annotated[int, typer.Option(min=8, help="Side in pixels.")] = 64,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Smallest share of the hole.")] = 0.10,
    most: Annotated[float, typer.Option(min=0.0, max=1.0, help="Greatest share of the hole.")] = 0.30,
) -> None:
    """Write random-walk masks (0 = hole, 255 = known).

    Example: maskbench data masks masks --count 500 --least 0.2 --most 0.4
    """
    from maskgit.data.export import write_masks

    if not 0 < least <= most < 1:
        raise InputError(f"--least {least} --most {most}: give 0 < least ≤ most < 1")
    write_masks(out, count, size, (least, most))
    typer.echo(f"{out}: {count} masks")
