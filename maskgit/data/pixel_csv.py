"""Read and write images as rows of a CSV, as the lab stores its ground truth and as other tools re-save it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain, dropwhile, islice
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.problems import problem_list
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 256  # parsed at once: bounds memory, and shortens the search for a bad line
_ROUNDING = 0.25  # levels by which 255 · value may differ from a whole number; with three digits it is at most 0.13


@dataclass(frozen=True, eq=False)
class PixelRows:
    """The rows of a CSV.

    Attributes:
        pixels: uint8, (rows, columns), at least one row.
        numbers: Image number of each row, if the first column is an index.
        notes: Notes on how the file was read, if it is not as the lab writes it.
    """

    pixels: NDArray[np.uint8]
    numbers: tuple[int, ...] | None
    notes: tuple[str, ...]


def read_csv(path: Path, values: int | None = None) -> PixelRows:
    """Read comma-separated pixels, one row per image: whole numbers 0…255 (12.0 as well), or all of them in 0…1.

    A first line of names, or of the running numbers 0, 1, 2, … of the columns, is a header; any other is an image. If there
    is one column more than pixel values, the first is an index: numbers, or file names that contain one.

    Args:
        path: The file; UTF-8. Blank lines are skipped.
        values: Pixel values per image, 3 · height · width; None for any square image.

    Raises:
        InputError: the file is missing, empty or not text, has no rows, or has rows that are ragged or hold anything
            else, which are listed line by line.
    """
    name = one_line(str(path))
    try:
        with path.open(encoding="utf-8-sig") as file:
            numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip())
            first = next(numbered, None)
            if first is None:
                cause = "no row in it" if path.stat().st_size else "zero bytes"
                raise InputError(f"{name}: {cause}; write one row per image")
            header = _is_header(first[1])
            reader = _Reader(values)
            reader.read(numbered if header else chain([first], numbered))
    except UnicodeDecodeError:
        raise InputError(f"{name}: not a text file; give a CSV with whole numbers 0…255") from None
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; give a folder or a CSV that can be read") from error
    if reader.problems:
        raise problem_list(
            str(path), reader.problems, "write whole numbers 0…255, comma-separated, one row per image", reader.rows
        )
    if not reader.blocks:
        raise InputError(f"{name}: no row below the header line; write one row per image")
    notes = [f"{name}: {note}" for note in _notes(header, reader)]
    return PixelRows(reader.pixels(), reader.numbers(name), tuple(notes))


def read_square_images(path: Path) -> tuple[NDArray[np.uint8], PixelRows]:
    """Read a CSV as square RGB images, one row per image in height-width-channel order: uint8 (N, 3, side, side), and rows.

    Raises:
        InputError: as `read_csv`; or the number of columns does not fit a square image.
    """
    rows = read_csv(path)
    columns = rows.pixels.shape[1]
    side = _side(columns)
    if side is None:
        raise InputError(
            f"{one_line(str(path))}: {columns} columns, want 3 · side² (height, width, channel of a square image), or "
            "one more with the image's number first"
        )
    return np.ascontiguousarray(rows.pixels.reshape(-1, side, side, 3).transpose(0, 3, 1, 2)), rows


def write_csv(path: Path, images: NDArray[np.uint8]) -> None:
    """Write images in the lab's format: header 0, 1, 2, …, then one row per image in height-width-channel order.

    Args:
        path: File to write.
        images: uint8, (N, 3, H, W).
    """
    rows = images.transpose(0, 2, 3, 1).reshape(len(images), -1)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(map(str, range(rows.shape[1]))) + "\n")
        for row in rows:
            file.write(",".join(map(str, row.tolist())) + "\n")


@dataclass
class _Reader:
    """Collects rows, block by block.

    Attributes:
        values: As in `read_csv`.
        scale: 255 for values in 0…1, 1 for values in 0…255; None while all values were 0 or 1.
        has_index: True if the first column is an index; None before the first row.
        columns: Number of pixel columns, from the first good row.
        blocks: Pixels of each block, with True if they still have to be multiplied by the scale.
    """

    values: int | None
    scale: int | None = None
    has_index: bool | None = None
    columns: int = 0
    rows: int = 0
    index: list[str] = field(default_factory=list)
    blocks: list[tuple[NDArray[np.uint8], bool]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read(self, numbered: Iterator[tuple[int, str]]) -> None:
        """Read all lines, each given with its number."""
        while lines := list(islice(numbered, _ROWS)):
            self.rows += len(lines)
            if self.has_index is None:
                self.has_index = _has_index(lines[0][1].count(",") + 1, self.values)
            pairs = [_split(line, self.has_index) for _, line in lines]
            self.index += [index for index, _ in pairs]
            if not self._take([pixels for _, pixels in pairs]):
                self._take_one_by_one([(number, pixels) for (number, _), (_, pixels) in zip(lines, pairs, strict=True)])

    def pixels(self) -> NDArray[np.uint8]:
        """All rows, (rows, columns)."""
        scale = np.uint8(self.scale or 1)
        return np.concatenate([block * scale if unscaled else block for block, unscaled in self.blocks])

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """The index: the last number in each of its values.

        Raises:
            InputError: A value holds no number, or two hold the same.
        """
        if not self.has_index:
            return None
        digit_runs = [re.findall(r"\d+", re.sub(r"\.0*$|\.[A-Za-z]\w*$", "", value)) for value in self.index]
        without = [
            value for value, digits in zip(self.index, digit_runs, strict=True) if not digits or len(digits[-1]) > 18
        ]
        if without:
            raise InputError(
                f"{name}: no number in {without[0]!r}, in the first column; write the image's number there"
            )
        numbers = [int(digits[-1]) for digits in digit_runs]
        twice = [number for number in numbers if numbers.count(number) > 1] if len(set(numbers)) < len(numbers) else []
        if twice:
            raise InputError(f"{name}: several rows for image {twice[0]}, by the first column; write one row per image")
        return tuple(numbers)

    def _take(self, lines: list[str]) -> bool:
        """Add these lines if all are valid; False otherwise."""
        values = _parse(lines)
        if values is None or self.columns not in (0, values.shape[1]):
            return False
        scale = self.scale or _scale(values)
        levels = values if scale is None else values * scale
        whole = np.rint(levels)
        exact = np.abs(levels - whole) <= (_ROUNDING if scale == 255 else 0)
        if not (exact & (whole >= 0) & (whole <= 255)).all():
            return False
        self.scale, self.columns = scale, values.shape[1]
        self.blocks.append((whole.astype(np.uint8), scale is None))
        return True

    def _take_one_by_one(self, numbered: list[tuple[int, str]]) -> None:
        """Check lines one by one, and report what is wrong with each."""
        for number, line in numbered:
            if self._take([line]):
                continue
            columns = line.count(",") + 1
            if self.columns not in (0, columns):
                self.problems.append(f"line {number}: {columns} columns, the lines above have {self.columns}")
            elif (self.scale or _scale_of(line)) == 255:
                self.problems.append(f"line {number}: not all values are in 0…1 with at least three digits")
            else:
                self.problems.append(f"line {number}: not all values are whole numbers 0…255")


def _is_header(line: str) -> bool:
    """True if a first line names columns: at least half of it is not numbers, or it counts 0, 1, 2, … or 1, 2, 3, …"""
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    numbers = [_number(cell) for cell in cells]
    if 2 * numbers.count(None) >= len(numbers):
        return True
    counted = list(dropwhile(lambda number: number is None, numbers))  # names of index columns
    return any(counted == list(range(start, start + len(counted))) for start in (0, 1))


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _has_index(columns: int, values: int | None) -> bool:
    if values is not None:
        return columns == values + 1
    return _side(columns) is None and _side(columns - 1) is not None


def _side(columns: int) -> int | None:
    """Side of the square RGB image with this many values, if there is one."""
    side = isqrt(columns // 3)
    return side if side and columns == 3 * side * side else None


def _split(line: str, has_index: bool) -> tuple[str, str]:
    """Index and pixels of a line."""
    index, comma, pixels = line.partition(",")
    return (index.strip().strip('"'), pixels) if has_index and comma else ("", line)


def _parse(lines: list[str]) -> NDArray[np.float32] | None:
    """Values of these lines, (rows, columns); None if they are ragged or not all finite numbers."""
    try:
        # float32 holds 0…255 exactly and accepts "12.0", which some tools write; comments are not skipped.
        values = np.loadtxt(lines, dtype=np.float32, delimiter=",", comments=None, quotechar='"', ndmin=2)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _scale_of(line: str) -> int | None:
    values = _parse([line])
    return None if values is None else _scale(values)


def _scale(values: NDArray[np.float32]) -> int | None:
    """255 if values are fractions, 1 if any is above 1, None if all are 0 or 1."""
    if values.max() > 1:
        return 1
    return 255 if (values != np.floor(values)).any() else None


def _notes(header: bool, reader: _Reader) -> Iterator[str]:
    if not header:
        yield f"no header line, its first line is an image too ({reader.rows} rows)"
    if reader.scale == 255:
        yield "values in 0…1, multiplied by 255"
    if reader.has_index:
        yield "the first column is taken as the image's number"
