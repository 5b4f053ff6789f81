"""A survey of a folder: which files and folders in it could be checkpoints, images, masks and code (no torch)."""

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
"""Files of a folder that are opened to see what it holds."""


@dataclass(frozen=True)
class ImageFolder:
    """A folder of at least three image files, in order of their names."""

    path: Path
    files: tuple[Path, ...]

    @cached_property
    def holds_masks(self) -> bool:
        """Whether its first files are black and white, and some has both."""
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
    """What lies below a folder, in order of depth and name.

    Attributes:
        root: The folder.
        images: Folders of images.
        csvs: CSV files.
        native: Folders of native checkpoints.
        weights: Files of weights, but for those that are named as a tokenizer's.
        attentions: Classes that are called attention, as `path/to/file.py:Class`.
        runs: Run folders, which are not looked into.
    """

    root: Path
    images: tuple[ImageFolder, ...]
    csvs: tuple[Path, ...]
    native: tuple[Path, ...]
    weights: tuple[Path, ...]
    attentions: tuple[str, ...]
    runs: tuple[Path, ...]


def survey(root: Path) -> Survey:
    """Look into a folder and all below it; hidden folders, environments and run folders are left out.

    Raises:
        InputError: It is no folder.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the folder that holds checkpoint and test images")
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
        pictured = tuple(file for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
        if len(pictured) >= FEWEST_IMAGES:
            images.append(ImageFolder(folder, pictured))
        csvs += [file for file in files if file.suffix.lower() == ".csv"]
        weights += [
            file for file in files if file.suffix.lower() in WEIGHTS and file.name.lower() not in NAMES["tokenizer"]
        ]
        attentions += [name for file in files if file.suffix == ".py" for name in _attentions(file)]
    return Survey(root, tuple(images), tuple(csvs), tuple(native), tuple(weights), tuple(attentions), tuple(runs))


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Folders with their files, the nearest first; what is in a run folder or a native checkpoint is not shown."""
    waiting = [root]
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        folder = waiting.pop(0)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        shown = [entry for entry in entries if not is_system_file(entry.name)]
        yield folder, [Path(entry.path) for entry in shown if entry.is_file()]
        if (folder / "run.json").is_file() or len(folder.relative_to(root).parts) >= DEEPEST:
            continue
        waiting += [
            Path(entry.path) for entry in shown if entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED
        ]


def _attentions(file: Path) -> Iterator[str]:
    """Classes of a file whose name says attention and that are no part of another one; nothing of it runs."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and "attention" in node.name.lower()]
    # Where one is the several-headed one, the others are its heads.
    whole = [name for name in names if "multi" in name.lower()] or names
    yield from (f"{file}:{name}" for name in whole)
