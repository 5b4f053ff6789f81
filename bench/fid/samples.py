"""Samples: the two sides of `maskbench fid`, told apart by content: pictures, features, or a mean and a covariance.

A folder is read as pytorch-fid reads it: the files directly in it whose extension is in pytorch-fid's list, in order of
their names, converted to RGB. What is passed over or converted is said, never done silently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.metrics.checks import MIN_IMAGES
from bench.metrics.frechet import GaussianStats, prepare_moments
from maskgit.data.decode import decode_as_rgb
from maskgit.data.dedup import digests
from maskgit.data.folders import by_number
from maskgit.data.pixel_csv import read_square_images
from maskgit.data.problems import problem_list, short_name
from maskgit.errors import InputError, one_line

EXTENSIONS = frozenset({"bmp", "jpg", "jpeg", "pgm", "png", "ppm", "tif", "tiff", "webp"})
"""What pytorch-fid takes; it looks at the letters as they are, so PNG in capitals is not among them."""

NAMED = 3  # files that a note names before it counts the others

Numbers = tuple[int, ...] | None
"""The images' numbers, ascending; None where rows have none, and row i belongs to the i-th smallest of the other side."""


@dataclass(frozen=True)
class Pictures:
    """Equal-sized pictures, each of which has been decoded once.

    Attributes:
        name: As the user gave it.
        numbers: See `Numbers`.
        digests: sha256 of each picture's pixels.
        read: Pictures start…stop as uint8 (n, 3, H, W).
        notes: What a reader must know: files passed over, pictures converted.
    """

    name: str
    numbers: Numbers
    digests: tuple[str, ...]
    read: Callable[[int, int], NDArray[np.uint8]]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of pictures."""
        return len(self.digests)


@dataclass(frozen=True, eq=False)
class Features:
    """Features (N, D) that somebody else extracted."""

    name: str
    numbers: Numbers
    values: NDArray[np.generic]

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.values)


Sample = Pictures | Features | GaussianStats


def open_sample(path: Path, by_numbers: bool = False) -> Sample:
    """Open a side of a comparison, and check all of it.

    Args:
        path: A folder of pictures; a CSV with a header line and one row an image, height-width-channel; a Parquet file
            with a column `feature` of lists and, if it has one, `image_id`; or pytorch-fid's .npz with `mu` and `sigma`.
        by_numbers: Order images by the number in their names (or by `image_id`), which then each must have.

    Raises:
        InputError: There is nothing of the kind, what is wrong with it file by file, or fewer than 3 images.
    """
    sample = _folder(path, by_numbers) if path.is_dir() else _file(path)
    if not isinstance(sample, GaussianStats) and sample.n < MIN_IMAGES:
        raise InputError(f"{sample.name}: {_images(sample.n)}; a distance needs at least {MIN_IMAGES}")
    if isinstance(sample, Pictures) and len(set(sample.digests)) == 1:
        raise InputError(f"{sample.name}: {sample.n} times the same picture; give different ones")
    return sample


def require_same_images(a: Sample, b: Sample) -> None:
    """Refuse a paired comparison of samples that are not of the same images.

    Raises:
        InputError: A side has no images, their counts differ, or numbers stand in one side only.
    """
    for side in (a, b):
        if isinstance(side, GaussianStats):
            raise InputError(f"{side.name}: --paired needs images, and statistics hold none; use --disjoint")
    assert not isinstance(a, GaussianStats) and not isinstance(b, GaussianStats)
    if a.numbers is not None and b.numbers is not None:
        for one, other in ((a, b), (b, a)):
            alone = sorted(set(one.numbers or ()) - set(other.numbers or ()))
            if alone:
                listed = f"{', '.join(map(str, alone[:NAMED]))}{', …' if len(alone) > NAMED else ''}"
                raise InputError(
                    f"{other.name}: --paired, but {len(alone)} of the images of {one.name} are not in it, by number: "
                    f"{listed}; give the same images on both sides, or use --disjoint"
                )
    elif a.n != b.n:
        raise InputError(
            f"{b.name}: --paired, but it has {_images(b.n)} and {a.name} has {a.n}; give the same images on both "
            "sides, or use --disjoint"
        )


def _file(path: Path) -> Sample:
    name = one_line(str(path))
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(
            f"{name}: {error.strerror}; give a folder of pictures, a CSV, a Parquet file or an .npz"
        ) from None
    if start == b"PAR1":
        return _parquet(path, name)
    if start == b"PK\x03\x04":
        return _npz(path, name)
    return _csv(path, name)


def _folder(path: Path, by_numbers: bool) -> Pictures:
    name = one_line(str(path))
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; give a folder that can be read") from None
    files = [entry for entry in entries if _taken(entry)]
    if not files:
        raise InputError(f"{name}: no pictures directly in it (extensions {', '.join(sorted(EXTENSIONS))})")
    numbers, problems = by_number(files)
    if by_numbers:
        if problems:
            raise problem_list(str(path), problems, "--paired matches by the last number in a name; rename these files")
        files = list(numbers.values())
    hashes, modes = _look_at(path, files)
    return Pictures(
        name,
        None if problems else tuple(numbers),
        hashes,
        lambda start, stop: np.stack([decode_as_rgb(file)[0] for file in files[start:stop]]),
        (*_passed_over(name, entries), *_converted(name, files, modes)),
    )


def _taken(entry: Path) -> bool:
    _, dot, extension = entry.name.rpartition(".")
    return bool(dot) and extension in EXTENSIONS and not entry.is_dir()


def _look_at(folder: Path, files: Sequence[Path]) -> tuple[tuple[str, ...], list[str]]:
    """Digest and Pillow mode of every picture; all that is wrong is named at once."""
    hashes, modes, problems = [], [], []
    size: tuple[int, ...] = ()
    for file in files:
        try:
            pixels, mode = decode_as_rgb(file)
        except InputError as error:
            problems.append(f"{short_name(file)}: {error}")
            continue
        size = size or pixels.shape
        if pixels.shape != size:
            problems.append(
                f"{short_name(file)}: {pixels.shape[2]}×{pixels.shape[1]} pixels, the first has {size[2]}×{size[1]}"
            )
        hashes += digests([pixels])
        modes.append(mode)
    if problems:
        raise problem_list(str(folder), problems)
    return tuple(hashes), modes


def _passed_over(name: str, entries: Sequence[Path]) -> list[str]:
    """A note on files of other extensions and one on sub-folders, as far as there are any."""
    rest = [entry for entry in entries if not _taken(entry)]
    folders, others = [e for e in rest if e.is_dir()], [e for e in rest if not e.is_dir()]
    notes = []
    if others:
        notes.append(f"{name}: passed over, as pytorch-fid does, {_named(others, 'file')} of another extension")
    if folders:
        notes.append(f"{name}: not looked into, as by pytorch-fid, {_named(folders, 'sub-folder')}")
    return notes


def _converted(name: str, files: Sequence[Path], modes: Sequence[str]) -> list[str]:
    other = [file for file, mode in zip(files, modes, strict=True) if mode != "RGB"]
    if not other:
        return []
    kinds = ", ".join(sorted(set(modes) - {"RGB"}))
    return [f"{name}: converted to RGB, as pytorch-fid does, {_named(other, 'picture')} of mode {kinds}"]


def _named(paths: Sequence[Path], what: str) -> str:
    some = ", ".join(one_line(path.name) for path in paths[:NAMED])
    return f"{len(paths)} {what}{'s' if len(paths) > 1 else ''} ({some}{', …' if len(paths) > NAMED else ''})"


def _csv(path: Path, name: str) -> Pictures:
    images, _ = read_square_images(path)
    return Pictures(name, None, tuple(digests(images)), lambda start, stop: images[start:stop])


def _parquet(path: Path, name: str) -> Features:
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{name}: damaged Parquet file ({str(error).splitlines()[0]}); write it again") from None
    if "feature" not in table.column_names:
        raise InputError(
            f"{name}: no column feature, but {', '.join(map(one_line, table.column_names))}; "
            "write one list of numbers an image into a column of that name"
        )
    values = _matrix(table["feature"].combine_chunks(), name)
    if "image_id" not in table.column_names:
        return Features(name, None, values)
    column = table["image_id"]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise InputError(f"{name}: column image_id holds {column.type} or empty places; write a whole number an image")
    ids = column.to_numpy()
    order = np.argsort(ids, kind="stable")
    twice = ids[order][1:][np.diff(ids[order]) == 0]
    if len(twice):
        raise InputError(f"{name}: several rows for image {twice[0]}; write one row an image")
    return Features(name, tuple(ids[order].tolist()), values[order])


def _matrix(column: pa.Array, name: str) -> NDArray[np.generic]:
    """Lists of one length as (N, D)."""
    remedy = "write one list of numbers an image, all of one length"
    is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    if not (is_list or pa.types.is_fixed_size_list(column.type)):
        raise InputError(f"{name}: column feature holds {column.type}; {remedy}")
    flat = column.flatten()
    if column.null_count or flat.null_count:
        raise InputError(f"{name}: empty places in column feature; {remedy}")
    if len(column) and (
        len(flat) % len(column) or set(column.value_lengths().to_pylist()) != {len(flat) // len(column)}
    ):
        raise InputError(f"{name}: lists of different lengths in column feature; {remedy}")
    return flat.to_numpy(zero_copy_only=False).reshape(len(column), -1 if len(column) else 0)


def _npz(path: Path, name: str) -> GaussianStats:
    try:
        with np.load(path, allow_pickle=False) as archive:
            mean, covariance = archive["mu"], archive["sigma"]
    except (OSError, ValueError, KeyError, BadZipFile):
        raise InputError(f"{name}: not an .npz with mu and sigma, as pytorch-fid --save-stats writes it") from None
    return prepare_moments(mean, covariance, name)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"
