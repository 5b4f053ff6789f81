"""A survey of a folder: files and folders that could be checkpoints, images, masks or code (no torch)."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.checkpoints.manifest import MANIFEST
from maskgit.checkpoints.nearby import NAMES, SKIPPED, WEIGHTS
from maskgit.data.folders import is_system_file
from maskgit.data.mask_files import read_mask
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
FEWEST_IMAGES = 3
DEEPEST = 8
MOST_FOLDERS = 5000
SAMPLED = 3
"""Number of files of a folder that are opened to find out its contents."""


@dataclass(frozen=True)
class ImageFolder:
    """A folder of at least three image files, in order of name."""

    path: Path
    files: tuple[Path, ...]

    @cached_property
    def holds_masks(self) -> bool:
        """True if its first files are black and white and both colours occur."""
        sides = set()
        for file in self.files[:SAMPLED]:
            try:
                white = read_mask(file).white
            except InputError:
                return False
            sides |= {bool(white.any()), bool(white.all())}
        return sides == {True, False}


@dataclass(frozen=True)
class Survey:
    """Contents of a folder and its sub-folders, in order of depth and name.

    Attributes:
        root: The folder.
        images: Folders of images.
        csvs: CSV files.
        native: Folders of native checkpoints.
        weights: Weights files, except those named like a tokenizer.
        attentions: Classes with "attention" in their name, as `path/to/file.py:Class`.
        runs: Run folders, which are not searched.
    """

    root: Path
    images: tuple[ImageFolder, ...]
    csvs: tuple[Path, ...]
    native: tuple[Path, ...]
    weights: tuple[Path, ...]
    attentions: tuple[str, ...]
    runs: tuple[Path, ...]


def survey(root: Path) -> Survey:
    """Search a folder and all its sub-folders except hidden folders, environments and run folders.

    Raises:
        InputError: It is not a folder.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder that holds the checkpoint and the test images")
    images: list[ImageFolder] = []
    csvs: list[Path] = []
    native: list[Path] = []
    weights: list[Path] = []
    attentions: list[str] = []
    runs: list[Path] = []
    for folder, files in _folders(root):
        if (folder / "run.json").is_file() and (folder / "cells.parquet").is_file():
            runs.append(folder)
            continue
        if (folder / MANIFEST).is_file():
            native.append(folder)
            continue
        image_files = tuple(file for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
        if len(image_files) >= FEWEST_IMAGES:
            images.append(ImageFolder(folder, image_files))
        csvs += [file for file in files if file.suffix.lower() == ".csv"]
        weights += [
            file for file in files if file.suffix.lower() in WEIGHTS and file.name.lower() not in NAMES["tokenizer"]
        ]
        attentions += [name for file in files if file.suffix == ".py" for name in _attentions(file)]
    return Survey(root, tuple(images), tuple(csvs), tuple(native), tuple(weights), tuple(attentions), tuple(runs))


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Folders with their files, breadth first; sub-folders of run folders are left out."""
    waiting = [root]
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        folder = waiting.pop(0)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        visible = [entry for entry in entries if not is_system_file(entry.name)]
        yield folder, [Path(entry.path) for entry in visible if entry.is_file()]
        if (folder / "run.json").is_file() or len(folder.relative_to(root).parts) >= DEEPEST:
            continue
        waiting += [
            Path(entry.path) for entry in visible if entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED
        ]


def _attentions(file: Path) -> Iterator[str]:
    """Names of a file's attention classes, as `file:Class`, without the parts of a multi-head one; nothing is executed."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and "attention" in node.name.lower()]
    # If one of them is the multi-head class, the others are its heads.
    whole = [name for name in names if "multi" in name.lower()] or names
    yield from (f"{file}:{name}" for name in whole)
