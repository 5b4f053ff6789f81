"""Samples, the two sides of `maskbench fid`: images, features, or a mean and a covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.fid.array_files import read_npy, read_npz
from bench.fid.feature_tables import read_features
from bench.fid.image_folders import read_folder
from bench.fid.kinds import Images, Sample
from bench.metrics.checks import MIN_IMAGES
from bench.metrics.frechet import GaussianStats
from maskgit.data.dedup import digests
from maskgit.data.pixel_csv import read_square_images
from maskgit.data.problems import counted, some_of
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from pathlib import Path

READERS = {b"PAR1": read_features, b"PK\x03\x04": read_npz, b"\x93NUM": read_npy}
"""Readers of files by their first four bytes; a file that starts with none of these is a CSV."""


def open_sample(path: Path, by_numbers: bool = False) -> Sample:
    """Open one side of a comparison and check all of it.

    Args:
        path: A folder of images, or one with a single sub-folder that contains images; a CSV with one row per image,
            height-width-channel; a Parquet file with a column `feature` of lists and an optional column `image_id`; an
            .npz or .npy of images, uint8 (N, H, W, 3); or pytorch-fid's .npz with `mu` and `sigma`.
        by_numbers: Order images by the number in their names (or by `image_id`), which every image must then have.

    Raises:
        InputError: There is no such sample, files are wrong (all of them listed), or there are fewer than 3 images.
    """
    sample = read_folder(path, by_numbers) if path.is_dir() else _read_file(path)
    if not isinstance(sample, GaussianStats) and sample.n < MIN_IMAGES:
        raise InputError(f"{sample.name}: {counted(sample.n, 'image')}; a distance needs at least {MIN_IMAGES}")
    if isinstance(sample, Images) and len(set(sample.digests)) == 1:
        raise InputError(f"{sample.name}: all {sample.n} images are the same; give different ones")
    return sample


def require_same_images(a: Sample, b: Sample) -> None:
    """Refuse a paired comparison of samples that do not have the same images.

    Raises:
        InputError: A side is statistics, the counts differ, or one side has numbers that the other lacks.
    """
    for side in (a, b):
        if isinstance(side, GaussianStats):
            raise InputError(f"{side.name}: --paired needs images, but statistics contain none; use --disjoint")
    assert not isinstance(a, GaussianStats)
    assert not isinstance(b, GaussianStats)
    if a.numbers is not None and b.numbers is not None:
        for side, opposite in ((a, b), (b, a)):
            absent = sorted(set(side.numbers or ()) - set(opposite.numbers or ()))
            if absent:
                raise InputError(
                    f"{opposite.name}: --paired, but {len(absent)} of the images of {side.name} are not in it, by number: "
                    f"{some_of([str(number) for number in absent])}; give the same images on both sides, or use --disjoint"
                )
    elif a.n != b.n:
        raise InputError(
            f"{b.name}: --paired, but it has {counted(b.n, 'image')} and {a.name} has {a.n}; give the same images on "
            "both sides, or use --disjoint"
        )


def _read_file(path: Path) -> Sample:
    name = one_line(str(path))
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputError(
            f"{name}: {error.strerror}; give a folder of images, a CSV, a Parquet file, an .npz or an .npy"
        ) from None
    return READERS.get(start, _read_csv)(path, name)


def _read_csv(path: Path, name: str) -> Images:
    images, rows = read_square_images(path)
    numbers = rows.numbers
    if numbers is not None:
        images = images[sorted(range(len(numbers)), key=numbers.__getitem__)]
        numbers = tuple(sorted(numbers))
    return Images(name, numbers, tuple(digests(images)), lambda start, stop: list(images[start:stop]), rows.notes)
