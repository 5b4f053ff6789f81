"""The grid.toml that a survey suggests, with the files found, the guesses and their reasons, and what is missing."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from bench.document.model import Bullets, Document, Item, Section
from bench.features.sources import EXTRACTORS, hub_checkpoints
from bench.grid.spec import load_spec, with_paths_from
from bench.init.data import DataGuess, guess_test_set
from bench.init.model import ModelGuess, guess_model
from bench.init.survey import Survey, survey
from bench.run.inputs import open_inputs
from maskgit.checkpoints.locate import bundled
from maskgit.errors import InputError

BUNDLED_SIDE = 64


@dataclass(frozen=True)
class Proposal:
    """A grid and the reasons for it.

    Attributes:
        toml: Contents of the file.
        found: Contents of the folder.
        guesses: Choices and their reasons.
        missing: Missing parts and their substitutes.
    """

    toml: str
    found: tuple[str, ...]
    guesses: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def document(self) -> Document:
        """The proposal as a document."""
        parts = {"Found": self.found, "Guessed": self.guesses, "Missing": self.missing}
        return Document(
            "maskbench init",
            tuple(Section(title, (Bullets(tuple(map(Item, lines))),)) for title, lines in parts.items() if lines),
        )


def propose(folder: Path, grid: Path) -> Proposal:
    """Survey a folder and make a grid from its contents; `grid` is the file that its paths are relative to.

    Raises:
        InputError: The folder has nothing to make a grid from; one line.
    """
    surveyed = survey(folder.absolute())
    model, no_model = guess_model(surveyed)
    test_set, no_test_set = guess_test_set(surveyed)
    if model is None and test_set is None:
        raise InputError(f"{folder}: neither a checkpoint ({no_model}) nor a test set ({no_test_set}) in it")
    if model and test_set and model.side != test_set.side:
        raise InputError(
            f"{folder}: the checkpoint takes images of {model.side} pixels, the test images have {test_set.side}; "
            "resize them, or name another folder"
        )
    side = model.side if model else test_set.side if test_set else BUNDLED_SIDE
    if side != BUNDLED_SIDE and not (model and test_set):
        reason = no_model if model is None else no_test_set
        raise InputError(f"{folder}: {reason}, and nothing built in has images of {side} pixels; add it to the folder")
    missing = [f"{reason}: {substitute} until you name yours" for reason, substitute in (
        (no_model, f"the bundled model {bundled()[-1]} is used"),
        (no_test_set, "the built-in cat faces are used as the test set"),
    ) if reason]  # fmt: skip
    return Proposal(
        _toml(model, test_set, grid),
        _contents(surveyed),
        (*(model.notes if model else ()), *(test_set.notes if test_set else ())),
        tuple(missing),
    )


def check(grid: Path) -> None:
    """Open everything that a grid names, as a run does before it decodes.

    Raises:
        InputError: A run would refuse the grid; one line.
    """
    spec = with_paths_from(load_spec(grid), grid.parent)
    open_inputs(spec, grid.parent)


def _contents(surveyed: Survey) -> tuple[str, ...]:
    """Contents of the folder in words."""
    root = surveyed.root
    lines = [
        f"{'masks' if folder.holds_masks else 'images'}: {_relative(folder.path, root)} ({len(folder.files)} files)"
        for folder in surveyed.images
    ]
    lines += [f"CSV: {_relative(path, root)}" for path in surveyed.csvs]
    lines += [f"checkpoint: {_relative(path, root)}" for path in surveyed.native]
    lines += [f"weights: {_relative(path, root)}" for path in surveyed.weights]
    lines += [f"attention class: {_relative(Path(name), root)}" for name in surveyed.attentions]
    return (*lines, *(f"run folder, not searched: {_relative(path, root)}" for path in surveyed.runs))


def _toml(model: ModelGuess | None, test_set: DataGuess | None, grid: Path) -> str:
    """Contents of the file, with a comment on every choice."""
    return "\n\n".join([
        "# Written by `maskbench init`; every key: docs/grid-toml.md. Paths are relative to this file.",
        "\n".join(["[model]", *_model_lines(model, grid)]),
        "\n".join(["[data]", *_data_lines(test_set, grid)]),
        "\n".join([
            "[grid]",
            'gamma = ["linear", "cosine", "square"]',
            "total_iter = [8, 12]",
            'sweet_spot = "all"                  # or steps [4, 8], or fractions of total_iter [0.5, 1.0]',
        ]),
        "\n".join(["[metrics]", *_metric_lines()]),
    ]) + "\n"  # fmt: skip


def _model_lines(model: ModelGuess | None, grid: Path) -> list[str]:
    if model is None:
        return [f"checkpoint = {_quoted(bundled()[-1])}   # a bundled model: name your own checkpoint here"]
    lines = [f"checkpoint = {_path(model.keys['checkpoint'], grid)}"]
    if "attention" in model.keys:
        lines.append(f"attention = {_path(model.keys['attention'], grid)}   # a run executes this file")
    if model.attention:
        lines.append(
            f"# attention = {_path(model.attention, grid)}   # computes with this class; a run executes its file"
        )
    if model.epochs:
        lines.append(f"# transformer = {_path(model.epochs, grid)}   # instead of checkpoint: one checkpoint per file")
    return lines


def _data_lines(test_set: DataGuess | None, grid: Path) -> list[str]:
    if test_set is None:
        return ['dataset = "catfaces"   # built in: name your own masks, masked_images and ground_truth']
    lines = [f"masks = {_path(test_set.masks, grid)}"]
    if test_set.masked_images:
        lines.append(f"masked_images = {_path(test_set.masked_images, grid)}")
    lines.append(f"ground_truth = {_path(test_set.ground_truth, grid)}")
    if test_set.train:
        lines.append(
            f"train = [{', '.join(_path(path, grid) for path in test_set.train)}]   # test images in it are counted"
        )
    return lines


def _metric_lines() -> list[str]:
    offline = next(name for name, entry in EXTRACTORS.items() if not entry.takes_weights)
    if any(hub_checkpoints().glob("pt_inception*")):
        return ['features = ["inception"]   # FID']
    return [f'features = [{_quoted(offline)}]   # works offline; "inception" gives FID and downloads its weights once']


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _path(path: str | Path, grid: Path) -> str:
    """A TOML string of a path relative to the grid's folder."""
    return _quoted(Path(os.path.relpath(Path(path).absolute(), grid.absolute().parent)).as_posix())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
