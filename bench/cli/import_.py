"""`maskbench import`: conversion of a checkpoint in the lab layout to safetensors and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LabFile = Annotated[Path | None, typer.Option(help="Replaces the folder's own file.", show_default=False)]


def import_(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="[LAB_FOLDER] OUT",
            help="A checkpoint in the lab layout (omit it if the options name its files), and a new folder.",
            show_default=False,
        ),
    ],
    transformer: LabFile = None,
    tokenizer: LabFile = None,
    transformer_config: LabFile = None,
    tokenizer_config: LabFile = None,
    attention: Annotated[
        str | None, typer.Option(help="Names of the attention weights: q=W_q,k=W_k,v=W_v,out=W_o.", show_default=False)
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Row order of a fused matrix: qkv or heads.", show_default=False)
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="Variant of the attention (docs/checkpoints.md).", show_default=False)
    ] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Use the moving average of the weights.")] = False,
    attention_class: Annotated[
        str | None,
        typer.Option(help="Compare with your class file.py:Class (docs/own-code.md); executes it.", show_default=False),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Compare with your checkout at PATH; executes its code.", show_default=False)
    ] = None,
) -> None:
    """Convert a checkpoint in the lab layout to safetensors and JSON.

    Example: maskbench import my_model/ checkpoints/mine
    """
    from maskgit.checkpoints.against_code import AuthorsCode
    from maskgit.checkpoints.declared import Declared, parse_keys
    from maskgit.checkpoints.locate import locate
    from maskgit.checkpoints.native import import_checkpoint

    *lab_folders, out = folders
    if len(lab_folders) > 1:
        raise typer.BadParameter("give one LAB_FOLDER, or none and its files, and OUT")
    declared = Declared(parse_keys(attention) if attention else {}, order, variant, ema)
    checkpoint = locate(
        str(lab_folders[0].absolute()) if lab_folders else None,
        Path(),
        tokenizer=tokenizer,
        transformer=transformer,
        tokenizer_config=tokenizer_config,
        transformer_config=transformer_config,
        declared=declared,
    )
    for line in import_checkpoint(checkpoint, out, AuthorsCode(attention_class, code)):
        typer.echo(line)
    typer.echo(f"{out}: imported")
