"""A folder of images as a sample, read as pytorch-fid reads it; a note names every difference.

pytorch-fid reads the files directly in a folder whose extension is in its list, in order of their names, and converts
them to RGB. In addition, this module accepts extensions in capitals, skips system files, scales 16-bit grey images to 8
bits (pytorch-fid's conversion turns them white), and searches the sub-folders of a folder without images.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from bench.fid.kinds import Images
from maskgit.data.decode import decode_as_rgb
from maskgit.data.dedup import digests
from maskgit.data.folders import is_system_file, skipped_note
from maskgit.data.numbering import match
from maskgit.data.problems import counted, problem_list, short_name, some_of
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXTENSIONS = frozenset({"bmp", "jpg", "jpeg", "pgm", "png", "ppm", "tif", "tiff", "webp"})
"""Extensions that pytorch-fid reads; it accepts only lower case."""

_FOLDERS = 20  # sub-folders that a message names


def read_folder(path: Path, by_numbers: bool) -> Images:
    """Open a folder of images, or the only folder below it that contains any.

    Args:
        path: The folder.
        by_numbers: Order images by the number in their names, which every name must then have.

    Raises:
        InputError: There are no images in the folder or below, or several folders below have some; or files are wrong,
            all of them listed.
    """
    folder, folder_notes = _folder_with_images(path)
    name = one_line(str(folder))
    entries = sorted(folder.iterdir())
    files = [entry for entry in entries if _is_taken(entry)]
    matching = match({name: files}, larger=name)
    numbers, problems = matching.files[name], matching.problems
    if by_numbers:
        if problems:
            raise problem_list(
                str(folder), problems, "--paired matches by a number in the names; rename these files", len(files)
            )
        files = list(numbers.values())
    hashes, modes, sizes = _look_at(folder, files)
    notes = [*folder_notes, *_skipped(folder, entries), *_converted(files, modes), *_scaled(sizes)]
    return Images(
        name,
        None if problems else tuple(numbers),
        hashes,
        lambda start, stop: [decode_as_rgb(file)[0] for file in files[start:stop]],
        (*(f"{name}: {note}" for note in notes), *matching.notes),
    )


def _folder_with_images(path: Path) -> tuple[Path, list[str]]:
    """The folder itself, or the only folder below that contains images, with a note."""
    name = one_line(str(path))
    try:
        if any(map(_is_taken, path.iterdir())):
            return path, []
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; give a folder that can be read") from None
    below = list(_below(path))
    if not below:
        raise InputError(f"{name}: no images in it or below (extensions {', '.join(sorted(EXTENSIONS))})")
    if len(below) > 1:
        listed = ", ".join(f"{one_line(str(folder))} ({count})" for folder, count in below[:_FOLDERS])
        more = f" and {len(below) - _FOLDERS} more" if len(below) > _FOLDERS else ""
        raise InputError(
            f"{name}: no images directly in it; give one of the folders below that contain some: {listed}{more}"
        )
    return below[0][0], [f"used, because no other folder in {name} contains images"]


def _below(path: Path) -> Iterator[tuple[Path, int]]:
    """Folders below that contain images, and their number of images."""
    for root, folders, _ in os.walk(path):
        folders[:] = sorted(folder for folder in folders if not is_system_file(folder))
        count = sum(map(_is_taken, Path(root).iterdir()))
        if count:
            yield Path(root), count


def _is_taken(entry: Path) -> bool:
    return _extension(entry).lower() in EXTENSIONS and not is_system_file(entry.name) and not entry.is_dir()


def _extension(path: Path) -> str:
    return path.name.rpartition(".")[2] if "." in path.name else ""


def _look_at(folder: Path, files: Sequence[Path]) -> tuple[tuple[str, ...], list[str], list[tuple[int, int]]]:
    """Digest, Pillow mode and size of every image; one error lists all bad files."""
    hashes: list[str] = []
    modes, sizes, problems = [], [], []
    for file in files:
        try:
            pixels, mode = decode_as_rgb(file)
        except InputError as error:
            problems.append(f"{short_name(file)}: {error}")
            continue
        hashes += digests([pixels])
        modes.append(mode)
        sizes.append((pixels.shape[2], pixels.shape[1]))
    if problems:
        raise problem_list(str(folder), problems, total=len(files))
    return tuple(hashes), modes, sizes


def _skipped(folder: Path, entries: Sequence[Path]) -> list[str]:
    """Notes on system files, files of other extensions, sub-folders, and extensions in capitals."""
    taken = [entry for entry in entries if _is_taken(entry)]
    rest = [entry for entry in entries if not _is_taken(entry) and not is_system_file(entry.name)]
    others, folders = [e for e in rest if not e.is_dir()], [e for e in rest if e.is_dir()]
    capitals = [entry for entry in taken if _extension(entry) not in EXTENSIONS]
    notes = skipped_note([folder])
    if others:
        notes.append(f"skipped {_named(others, 'file')} of another extension, as pytorch-fid does")
    if folders:
        notes.append(f"did not search {_named(folders, 'sub-folder')}, nor does pytorch-fid")
    if capitals:
        notes.append(f"read {_named(capitals, 'file')} with an extension in capitals; pytorch-fid skips such files")
    return notes


def _converted(files: Sequence[Path], modes: Sequence[str]) -> list[str]:
    """Notes on images that are not 8-bit RGB."""
    of_mode = list(zip(files, modes, strict=True))
    deep = [file for file, mode in of_mode if mode.startswith("I")]
    converted = [file for file, mode in of_mode if mode != "RGB" and not mode.startswith("I")]
    notes = []
    if converted:
        kinds = ", ".join(sorted({mode for mode in modes if mode != "RGB" and not mode.startswith("I")}))
        notes.append(f"converted {_named(converted, 'image')} of mode {kinds} to RGB, as pytorch-fid does")
    if deep:
        notes.append(
            f"scaled {_named(deep, 'image')} from 16 bits to 8; pytorch-fid clips values at 255, which turns them white"
        )
    return notes


def _scaled(sizes: Sequence[tuple[int, int]]) -> list[str]:
    """A note on images of different sizes."""
    counts = Counter(sizes)
    if len(counts) < 2:
        return []
    listed = some_of([f"{count} of {width}×{height}" for (width, height), count in counts.most_common()])
    return [
        (
            f"images of {len(counts)} sizes ({listed}); each is scaled to the network's input on its own, as by pytorch-fid "
            "with --batch-size 1"
        )
    ]


def _named(paths: Sequence[Path], noun: str) -> str:
    return f"{counted(len(paths), noun)} ({some_of([path.name for path in paths])})"
