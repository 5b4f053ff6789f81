"""`maskbench log`: a finished run in an experiment tracker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import RunFolderArgument


def log(
    run: RunFolderArgument,
    to: Annotated[str, typer.Option("--to", help="tensorboard, wandb or mlflow.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder of local files; RUN/<tracker> by default.", show_default=False),
    ] = None,
    project: Annotated[str, typer.Option(help="Project of wandb, experiment of mlflow.")] = "maskbench",
    no_images: Annotated[bool, typer.Option("--no-images", help="Leave out the sheets of images.")] = False,
) -> None:
    """Log a finished run to TensorBoard, Weights & Biases or MLflow: its cells, the best one's numbers, the sheets.

    Example: maskbench log results/mine --to tensorboard
    """
    from bench.document.text import clean
    from bench.results.folder import open_run
    from bench.trackers.content import content_of
    from bench.trackers.targets import Destination, target

    log_to = target(to)
    content = content_of(open_run(run), images=not no_images)
    for note in content.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    typer.echo(log_to(content, Destination(folder or run / to, project)))
