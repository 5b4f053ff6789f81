"""The trackers: TensorBoard, Weights & Biases and MLflow, each one function that logs a run.

Each takes the content and a destination, and returns where it was logged. The packages are optional.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from maskgit.errors import InputError
from maskgit.extras import optional

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.trackers.content import Content


@dataclass(frozen=True)
class Destination:
    """Where a run is logged.

    Attributes:
        folder: Folder of local files.
        project: Project of Weights & Biases, experiment of MLflow.
    """

    folder: Path
    project: str


def to_tensorboard(content: Content, destination: Destination) -> str:
    """Log to TensorBoard's event files: scalars, one curve of scores per trajectory, the cells as text, the sheets."""
    optional("tensorboard", "--to tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(destination.folder)) as writer:
        for name, value in content.scalars.items():
            writer.add_scalar(name, value)
        for name, points in content.curves.items():
            for sweet_spot, score in points:
                writer.add_scalar(f"score by sweet spot/{name}", score, sweet_spot)
        facts = "\n".join(f"- {name}: {value}" for name, value in content.parameters.items())
        writer.add_text("run", facts)
        writer.add_text("cells", _markdown(content))
        for image in content.images:
            writer.add_image(image.title, np.asarray(_picture(image.png)), dataformats="HWC")
    return f"tensorboard --logdir {destination.folder}"


def to_wandb(content: Content, destination: Destination) -> str:
    """Log to Weights & Biases: the cells as a table, scalars as the summary, the sheets; online, or as WANDB_MODE says."""
    wandb = optional("wandb", "--to wandb")
    destination.folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=destination.project, name=content.name, dir=str(destination.folder), config=content.parameters
    )
    columns = content.cells.column_names
    rows = [[row[column] for column in columns] for row in content.cells.to_pylist()]
    run.log(
        {
            "cells": wandb.Table(columns=columns, data=rows),
            **{image.title: wandb.Image(_picture(image.png)) for image in content.images},
        }
    )
    run.summary.update(content.scalars)
    where = run.url or run.dir
    run.finish()
    return str(where)


def to_mlflow(content: Content, destination: Destination) -> str:
    """Log to MLflow: parameters, metrics, the cells as a CSV, the sheets; to MLFLOW_TRACKING_URI, or to a local folder."""
    mlflow = optional("mlflow", "--to mlflow")
    if not mlflow.environment_variables.MLFLOW_TRACKING_URI.get():
        destination.folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(destination.folder.resolve().as_uri())
    mlflow.set_experiment(destination.project)
    with mlflow.start_run(run_name=content.name) as run:
        mlflow.log_params(content.parameters)
        mlflow.log_metrics({_mlflow_name(name): value for name, value in content.scalars.items()})
        for name, points in content.curves.items():
            for sweet_spot, score in points:
                mlflow.log_metric(_mlflow_name(f"score by sweet spot/{name}"), score, step=sweet_spot)
        mlflow.log_text(content.cells.to_pandas().to_csv(index=False), "cells.csv")
        for number, image in enumerate(content.images, 1):
            mlflow.log_image(_picture(image.png), f"sheets/{number:02d}.png")
    return f"{mlflow.get_tracking_uri()} run {run.info.run_id}"


TARGETS: dict[str, Callable[[Content, Destination], str]] = {
    "tensorboard": to_tensorboard,
    "wandb": to_wandb,
    "mlflow": to_mlflow,
}


def target(name: str) -> Callable[[Content, Destination], str]:
    """The tracker with a name.

    Raises:
        InputError: The name is unknown.
    """
    if name not in TARGETS:
        raise InputError(f"--to {name}: unknown tracker; use {', '.join(TARGETS)}")
    return TARGETS[name]


def _picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def _mlflow_name(name: str) -> str:
    """A name of the characters that MLflow allows."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-. /") else "_" for c in name)


def _markdown(content: Content) -> str:
    """The cells as a Markdown table."""
    columns = content.cells.column_names
    rows = [[_entry(row[column]) for column in columns] for row in content.cells.to_pylist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, ["---"] * len(columns), *rows])


def _entry(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value).replace("|", "\\|")
