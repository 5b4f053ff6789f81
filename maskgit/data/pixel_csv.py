"""Pictures as rows of a CSV, the form in which the lab keeps its ground truth."""

from __future__ import annotations

from itertools import islice
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskgit.data.folders import one_line, problem_list
from maskgit.errors import InputError

_ROWS = 256  # parsed at once: bounds memory, and makes the search for a bad line short


def read_csv(path: Path) -> NDArray[np.uint8]:
    """Read whole numbers 0…255, comma-separated, below one header line (whatever it holds).

    Returns:
        uint8, (rows, columns), at least one row. Blank lines are passed over.

    Raises:
        InputError: the file is missing, empty, not text, has no row, or rows that are ragged or hold anything
            but whole numbers 0…255; these line by line.
    """
    blocks: list[NDArray[np.uint8]] = []
    problems: list[str] = []
    columns = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            line_number = 1
            if not next(file, ""):
                raise InputError(f"{one_line(str(path))}: zero bytes; write a header line and one row an image")
            while lines := list(islice(file, _ROWS)):
                block = _parse(lines)
                if block is not None and columns in (0, block.shape[1]):
                    columns = block.shape[1]
                    blocks.append(block)
                else:
                    columns, found = _faults(lines, line_number + 1, columns)
                    problems += found
                line_number += len(lines)
    except UnicodeDecodeError:
        raise InputError(f"{one_line(str(path))}: not a text file; give a CSV with whole numbers 0…255") from None
    except OSError as error:
        raise InputError(f"{one_line(str(path))}: {error.strerror}; give a folder or a CSV that can be read") from error
    if problems:
        raise problem_list(str(path), problems, "write whole numbers 0…255, comma-separated, one row an image")
    if not blocks:
        raise InputError(f"{one_line(str(path))}: no row below the header line; write one row an image")
    return np.concatenate(blocks)


def read_square_pictures(path: Path) -> NDArray[np.uint8]:
    """Read a CSV as square RGB pictures, one row each in height-width-channel order: uint8 (N, 3, side, side).

    Raises:
        InputError: as `read_csv`, or a number of columns that makes no square picture.
    """
    rows = read_csv(path)
    side = isqrt(rows.shape[1] // 3)
    if rows.shape[1] != 3 * side * side:
        raise InputError(
            f"{one_line(str(path))}: {rows.shape[1]} columns, want 3 · side² (height, width, channel of a square "
            "picture); write pixels alone, without an index column"
        )
    return np.ascontiguousarray(rows.reshape(-1, side, side, 3).transpose(0, 3, 1, 2))


def write_csv(path: Path, images: NDArray[np.uint8]) -> None:
    """Write pictures as the lab does: header 0, 1, 2, …, then one row an image in height-width-channel order.

    Args:
        path: File to write.
        images: uint8, (N, 3, H, W).
    """
    rows = images.transpose(0, 2, 3, 1).reshape(len(images), -1)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(",".join(map(str, range(rows.shape[1]))) + "\n")
        for row in rows:
            file.write(",".join(map(str, row.tolist())) + "\n")


def _parse(lines: list[str]) -> NDArray[np.uint8] | None:
    """Pixels of these lines, (rows, columns); None where any of them is not right."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return None
    try:
        # float32 holds 0…255 exactly and lets "12.0", as some tools write it, pass; comments stay values.
        values = np.loadtxt(filled, dtype=np.float32, delimiter=",", comments=None, quotechar='"', ndmin=2)
    except ValueError:
        return None
    if not ((values >= 0) & (values <= 255) & (values == np.floor(values))).all():
        return None
    return values.astype(np.uint8)


def _faults(lines: list[str], first_line: int, columns: int) -> tuple[int, list[str]]:
    """Look at lines one by one: the column count (of the first good line ever seen), and what is wrong with which."""
    problems = []
    for number, line in enumerate(lines, first_line):
        if not line.strip():
            continue
        row = _parse([line])
        if row is None:
            problems.append(f"line {number}: not all values are whole numbers 0…255")
        elif columns not in (0, row.shape[1]):
            problems.append(f"line {number}: {row.shape[1]} columns, the lines above have {columns}")
        else:
            columns = row.shape[1]
    return columns, problems
