"""Search for the checkpoint of a survey to benchmark, tried with the reader that a run uses; user code never runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.checkpoints.locate import locate
from maskgit.errors import InputError

if TYPE_CHECKING:
    from bench.init.survey import Survey

BEST = ("best", "transformer")


@dataclass(frozen=True)
class ModelGuess:
    """A checkpoint, described by the keys of `[model]`.

    Attributes:
        keys: Values by key; paths are absolute.
        side: Height and width of its images in pixels.
        epochs: Glob pattern of the checkpoint files of its training, if there are several: a possible axis.
        attention: A class that could compute the attention, if it is not needed to read the file.
        notes: Reasons for these choices.
    """

    keys: dict[str, str]
    side: int
    epochs: str | None = None
    attention: str | None = None
    notes: tuple[str, ...] = ()


def guess_model(surveyed: Survey) -> tuple[ModelGuess | None, str]:
    """The checkpoint that is most likely to be benchmarked: a native folder, or a weights file with its configs nearby.

    Returns:
        The guess, or None with the reason in one line.
    """
    guesses = [partial(_of_folder, folder, surveyed) for folder in surveyed.native]
    guesses += [partial(_of_file, file, surveyed) for file in sorted(surveyed.weights, key=_rank)]
    reason = "" if guesses else "no file of weights (.pt, .pth, .ckpt, .safetensors)"
    for guess in guesses:
        try:
            return guess(), ""
        except InputError as error:  # a tokenizer without a transformer, for example
            reason = reason or str(error)
    return None, reason


def _of_folder(folder: Path, surveyed: Survey) -> ModelGuess:
    """A native folder as a checkpoint."""
    checkpoint = locate(str(folder), surveyed.root)
    assert checkpoint.tokenizer
    return ModelGuess({"checkpoint": str(folder)}, checkpoint.tokenizer.img_resolution)


def _rank(file: Path) -> tuple[bool, int, str]:
    """Sort key: files named as the best first, then numbered epochs, latest first."""
    numbers = re.findall("[0-9]+", file.stem)
    named = any(word in file.stem.lower() for word in BEST)
    return (not named, -int(numbers[-1][:18]) if numbers else 0, file.as_posix())


def _of_file(file: Path, surveyed: Survey) -> ModelGuess:
    """A weights file as a checkpoint; an attention class is added if nothing in the file decides how to read it."""
    # Here, because they import torch.
    from maskgit.checkpoints.decide import unmeasured
    from maskgit.checkpoints.lab import read_lab

    checkpoint = locate(str(file), surveyed.root)
    assert checkpoint.tokenizer
    keys, notes = {"checkpoint": str(file)}, list[str]()
    try:
        weights = read_lab(checkpoint)
        notes += weights.notes
        undecided = unmeasured(weights.layout, checkpoint.declared) is None
        why = "the row order of its fused attention matrix is open"
    except InputError as error:
        if "attention" not in str(error) or not surveyed.attentions:
            raise
        undecided, why = True, "its attention cannot be read by names alone"
    if undecided and surveyed.attentions:
        keys["attention"] = surveyed.attentions[0]
        notes.append(f"{why}, so the class {Path(surveyed.attentions[0]).name} computes it: a run executes that file")
    elif undecided:
        notes.append(f"{why}: a run measures it on the test images")
    unneeded = surveyed.attentions[0] if surveyed.attentions and "attention" not in keys else None
    return ModelGuess(keys, checkpoint.tokenizer.img_resolution, _epochs(file, surveyed), unneeded, tuple(notes))


def _epochs(file: Path, surveyed: Survey) -> str | None:
    """A glob pattern of the numbered files next to a checkpoint, if at least two match."""
    stems: dict[str, list[Path]] = {}
    for sibling in surveyed.weights:
        if sibling.parent == file.parent and re.search("[0-9]", sibling.stem):
            stems.setdefault(re.sub("[0-9]+", "*", sibling.name), []).append(sibling)
    several = [pattern for pattern, files in stems.items() if len(files) > 1]
    return (file.parent / several[0]).as_posix() if several else None
