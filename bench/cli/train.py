"""`maskbench train tokenizer` and `maskbench train transformer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.group import HOW_TO_RESUME

RESUME = "the same command with --resume continues from the last saved state"
Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The recipe.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")]
TrainOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The folder to write to; the recipe's by default.", show_default=False),
]
DataRoot = Annotated[
    Path | None, typer.Option(help="Folder that contains the recipe's data folders.", show_default=False)
]


def train_tokenizer(
    ctx: typer.Context, config: Config, resume: Resume = False, output: TrainOutput = None, data_root: DataRoot = None
) -> None:
    """Stage 1: train a VQGAN.

    Example: maskbench train tokenizer recipe.toml --data-root ~/images --output checkpoints/tokenizer
    """
    from maskgit.training.tokenizer_stage import train_tokenizer as train

    ctx.meta[HOW_TO_RESUME] = RESUME
    train(config, resume=resume, output=output, data_root=data_root)


def train_transformer(
    ctx: typer.Context, config: Config, resume: Resume = False, output: TrainOutput = None, data_root: DataRoot = None
) -> None:
    """Stage 2: train a transformer by masked token modelling.

    Example: maskbench train transformer recipe.toml --resume
    """
    from maskgit.training.transformer_stage import train_transformer as train

    ctx.meta[HOW_TO_RESUME] = RESUME
    train(config, resume=resume, output=output, data_root=data_root)
