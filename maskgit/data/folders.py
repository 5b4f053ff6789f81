"""Folders of numbered pictures: which file is number 7, and what its pixels are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from maskgit.errors import InputError
from maskgit.errors import one_line as one_line

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""What is read, told by content. A closed list: some of Pillow's readers (EPS) start other programs."""

Decoded = TypeVar("Decoded")

_LISTED = 20  # problems a message names one by one
_LARGEST = 2**63 - 1  # image ids are int64


class ProblemList(InputError):
    """Bad files, all of them named in one line; `problems` holds one entry a file, for programs."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def problem_list(where: str, problems: Sequence[str], remedy: str = "mend or remove these files") -> ProblemList:
    """Say what is wrong, file by file: the first 20, and how many more there are.

    Args:
        where: Folder or file at fault.
        problems: "name: what is wrong" each, at least one.
        remedy: What to do about them.
    """
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    more = f"; and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    listed = "; ".join(problems[:_LISTED])
    return ProblemList(f"{count} in {one_line(where)} ({remedy}): {listed}{more}", problems)


def short_name(path: Path) -> str:
    """Folder and file name, as problems name a file."""
    return one_line(f"{path.parent.name}/{path.name}")


def listed(folder: Path) -> list[Path]:
    """The files of a folder in order of their names, at least one; hidden files and sub-folders are passed over.

    Raises:
        InputError: no such folder, a file, or no file in it.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir())
    except NotADirectoryError:
        raise InputError(f"{one_line(str(folder))}: a file; give the folder that holds the pictures") from None
    except OSError as error:
        raise InputError(f"{one_line(str(folder))}: {error.strerror}; give a folder that can be read") from error
    if not paths:
        raise InputError(f"{one_line(str(folder))}: no files in it; give the folder that holds the pictures")
    return paths


def passed_over(folder: Path) -> tuple[str, ...]:
    """Names of a folder's sub-folders, hidden ones left out: `listed` does not look into them."""
    return tuple(sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir()))


def scan(folder: Path) -> tuple[dict[int, Path], list[str]]:
    """The pictures of a folder by the last number in their names, extension aside: `image_007.png` is 7.

    Hidden files and sub-folders are passed over. The order of the folder plays no part.

    Returns:
        Path by number, ascending; and what is wrong with single files: no number, or one that another file has too.

    Raises:
        InputError: no such folder, or no file in it.
    """
    return by_number(listed(folder))


def by_number(paths: Sequence[Path]) -> tuple[dict[int, Path], list[str]]:
    """Order files by the last number in their names; what is wrong with single ones is handed back."""
    problems: list[str] = []
    found: dict[int, list[Path]] = {}
    for path in paths:
        # The length is looked at first: int() refuses thousands of digits with an error of its own.
        digits = re.findall("[0-9]+", path.stem)
        if not digits:
            problems.append(f"{short_name(path)}: no number in its name")
        elif len(digits[-1].lstrip("0")) > 19 or int(digits[-1]) > _LARGEST:
            problems.append(f"{short_name(path)}: its number is larger than {_LARGEST}")
        else:
            found.setdefault(int(digits[-1]), []).append(path)
    for number, same in found.items():
        if len(same) > 1:
            problems.append(f"{', '.join(short_name(path) for path in same)}: all have the number {number}")
    return {number: found[number][0] for number in sorted(found)}, problems


def decode(path: Path, channels: int) -> NDArray[np.uint8]:
    """Decode one picture as it is stored: its content decides the format, and EXIF orientation is not applied.

    Args:
        path: PNG, JPEG, WebP, BMP, GIF, TIFF or PPM, whatever its extension says.
        channels: 3 for RGB (a palette without transparency counts as RGB); 1 for grey, bilevel, or RGB whose three
            channels are equal.

    Returns:
        uint8, (channels, H, W), 0…255.

    Raises:
        InputError: the file is missing, empty, truncated, no picture, or has other channels. The message says only what
            is wrong: its catcher names the file.
    """
    return _decoded(path, lambda image: _pixels(image, channels))


def decode_as_rgb(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Like `decode` with 3 channels, but pictures of other kinds are converted, as tools that ask no questions do.

    Grey and palettes become RGB, alpha is dropped, CMYK and the like are converted by Pillow.

    Returns:
        uint8 (3, H, W), and Pillow's mode of the file: "RGB" where nothing was converted.

    Raises:
        InputError: as `decode`; also for channels of more than 8 bits, which a conversion would cut off at 255.
    """
    return _decoded(path, _as_rgb)


def _decoded(path: Path, pixels: Callable[[Image.Image], Decoded]) -> Decoded:
    try:
        if path.stat().st_size == 0:
            raise InputError("zero bytes")
        with Image.open(path, formats=FORMATS) as image:
            # MPO is what telephones write: a JPEG with a preview behind it.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise InputError("several frames, want a single picture")
            image.load()
            return pixels(image)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError("not an image, or cut off in its header") from None
    except FileNotFoundError:
        raise InputError("missing") from None
    except Exception as error:  # on damaged bytes a decoder raises whatever it trips over
        reason = one_line(str(error)) or type(error).__name__
        raise InputError(
            "truncated" if "truncated" in reason.lower() else f"cannot be decoded ({reason[:100]})"
        ) from error


def _as_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], str]:
    mode = image.mode
    if mode.startswith(("I", "F")):
        raise InputError(f"more than 8 bits a channel (mode {mode}), want 8")
    if mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the same colours as straight to RGB, without Pillow's warning
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1)), mode


def _pixels(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    mode = image.mode
    if mode == "1":
        image = image.convert("L")
    elif mode == "P" and "transparency" not in image.info:
        image = image.convert("RGB")
    if image.mode == "RGB":
        rgb = np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)
        if channels == 3:
            return np.ascontiguousarray(rgb)
        if not (rgb == rgb[:1]).all():
            raise InputError("three different channels, want one (or three equal ones)")
        return np.ascontiguousarray(rgb[:1])
    if image.mode == "L" and channels == 1:
        return np.array(image, dtype=np.uint8)[None]
    bands = len(image.getbands())
    want = "three of 8 bits (RGB)" if channels == 3 else "one of 8 bits (L)"
    raise InputError(f"{bands} channel{'s' if bands > 1 else ''} (mode {mode}), want {want}")
