"""Which checkpoint of a survey can be decoded with: tried with the reader that a run uses; code of the user never runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.checkpoints.locate import locate
from maskgit.errors import InputError

if TYPE_CHECKING:
    from bench.init.survey import Survey

BEST = ("best", "transformer")


@dataclass(frozen=True)
class ModelGuess:
    """A checkpoint, as the keys of `[model]` name it.

    Attributes:
        keys: Values by key; paths are absolute.
        side: Height and width of its images in pixels.
        epochs: Pattern of the files of its training, where there are several: an axis, if one wants it.
        attention: A class that could compute the attention but is not needed to read the file.
        notes: Why these.
    """

    keys: dict[str, str]
    side: int
    epochs: str | None = None
    attention: str | None = None
    notes: tuple[str, ...] = ()


def guess_model(found: Survey) -> tuple[ModelGuess | None, str]:
    """The checkpoint that is likeliest the one to measure: a native folder, or a file of weights with its configs around it.

    Returns:
        The guess, and where there is none the reason in one line.
    """
    for folder in found.native:
        checkpoint = locate(str(folder), found.root)
        assert checkpoint.tokenizer
        return ModelGuess({"checkpoint": str(folder)}, checkpoint.tokenizer.img_resolution), ""
    reason = "" if found.weights else "no file of weights (.pt, .pth, .ckpt, .safetensors)"
    for file in sorted(found.weights, key=_rank):
        try:
            guess = _of_file(file, found)
        except InputError as error:
            reason = reason or str(error)
            continue
        return guess, ""
    return None, reason


def _rank(file: Path) -> tuple[bool, int, str]:
    """Files called the best before files of epochs, and of these the latest first."""
    numbers = re.findall("[0-9]+", file.stem)
    named = any(word in file.stem.lower() for word in BEST)
    return (not named, -int(numbers[-1][:18]) if numbers else 0, file.as_posix())


def _of_file(file: Path, found: Survey) -> ModelGuess:
    """A file of weights as a checkpoint; its attention is named where nothing in the file decides how to read it."""
    # Here, because they import torch.
    from maskgit.checkpoints.decide import unmeasured
    from maskgit.checkpoints.lab import read_lab

    checkpoint = locate(str(file), found.root)
    assert checkpoint.tokenizer
    keys, notes = {"checkpoint": str(file)}, list[str]()
    try:
        weights = read_lab(checkpoint)
        notes += weights.notes
        undecided = unmeasured(weights.layout, checkpoint.declared) is None
        why = "the row order of its fused attention matrix is open"
    except InputError as error:
        if "attention" not in str(error) or not found.attentions:
            raise
        undecided, why = True, "its attention cannot be read by names alone"
    if undecided and found.attentions:
        keys["attention"] = found.attentions[0]
        notes.append(f"{why}, so the class {Path(found.attentions[0]).name} computes it: a run executes that file")
    elif undecided:
        notes.append(f"{why}: a run measures it on the test images")
    unneeded = found.attentions[0] if found.attentions and "attention" not in keys else None
    return ModelGuess(keys, checkpoint.tokenizer.img_resolution, _epochs(file, found), unneeded, tuple(notes))


def _epochs(file: Path, found: Survey) -> str | None:
    """A pattern of the numbered files next to a checkpoint, where there are at least two alike."""
    stems: dict[str, list[Path]] = {}
    for other in found.weights:
        if other.parent == file.parent and re.search("[0-9]", other.stem):
            stems.setdefault(re.sub("[0-9]+", "*", other.name), []).append(other)
    several = [pattern for pattern, files in stems.items() if len(files) > 1]
    return (file.parent / several[0]).as_posix() if several else None
