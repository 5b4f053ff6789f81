"""A masked test set: what is to be inpainted, where, and what was there; from folders or built in."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskgit.data.checks import mask_problem, pair_problems, polarity_problem
from maskgit.data.demo import catfaces, walks
from maskgit.data.folders import ProblemList, decode, one_line, problem_list, scan, short_name
from maskgit.data.pixel_csv import read_csv
from maskgit.errors import InputError

HOLE_GREY = 128
"""What a hole is painted with where no masked images are given; the lab's grey."""

_UNKNOWN = (0, 0)  # size of a set of which no picture could be decoded

Pictures = dict[int, NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class TestSet:
    """N masked pictures in ascending order of their ids.

    Attributes:
        name: Shown in reports.
        image_ids: int64, (N,), ascending; the numbers in the file names.
        masked: uint8, (N, 3, H, W), the hole painted over.
        hole: bool, (N, H, W), True = repaint.
        truth: uint8, (N, 3, H, W), or None where there is no ground truth.
        sources: What came from where.
        pixel_sha256: One an image, over the bytes of `masked` and then of `hole`.
    """

    __test__ = False  # the name starts like a test class's, and pytest would collect it

    name: str
    image_ids: NDArray[np.int64]
    masked: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    truth: NDArray[np.uint8] | None
    sources: dict[str, str]
    pixel_sha256: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.image_ids)


def catfaces_test_set(count: int = 256) -> TestSet:
    """Render the built-in test set: the first `count` test faces of `catfaces` under random-walk holes.

    Its image ids are 0…count − 1; a larger count appends images and changes none.

    Raises:
        InputError: count is not in 1…the number of test faces.
    """
    faces = catfaces.SPLITS["test"]
    if not 1 <= count <= len(faces):
        raise InputError(f"catfaces: count must be 1…{len(faces)}, got {count}")
    indices = np.arange(faces.start, faces.start + count, dtype=np.int64)
    truth = catfaces.render(indices)
    hole = walks.hole_masks(indices, size=truth.shape[-1])
    sources = {
        "ground_truth": f"catfaces version {catfaces.VERSION}, indices {indices[0]}…{indices[-1]}",
        "masks": f"random walks version {walks.VERSION}, the same indices",
        "masked_images": f"ground_truth with the hole painted {HOLE_GREY}",
    }
    return _test_set("catfaces", np.arange(count, dtype=np.int64), _paint(truth, hole), hole, truth, sources)


def load_test_set(
    *,
    masks: Path,
    masked_images: Path | None = None,
    ground_truth: Path | None = None,
    image_size: int | None = None,
    limit: int | None = None,
) -> TestSet:
    """Read a masked test set from folders, and check all of it before anything is done with it.

    Files belong together by the last number in their names, never by position. Every number needs one file in every
    folder given. Without `masked_images` holes are painted grey 128 over the ground truth. What is asked of pairs
    stands in `maskgit.data.checks`.

    Args:
        masks: Folder, one channel, 0 = hole, 255 = known.
        masked_images: Folder, RGB, the hole painted in one plain colour.
        ground_truth: Folder, RGB; or a CSV with a header line and one row an image, whole numbers 0…255 in
            height-width-channel order: row i (from 0) belongs to the image with the i-th smallest number.
        image_size: Edge that all pictures must have, pixels; None: they must be of one size.
        limit: Decode only the images with the smallest numbers, this many. Names and counts are checked for all.

    Raises:
        InputError: what is wrong, file by file, in one line.
    """
    if masked_images is None and ground_truth is None:
        raise InputError("data: masks alone make no test set; give masked_images, or ground_truth, or both")
    if limit is not None and limit < 1:
        raise InputError(f"data.limit must be at least 1, got {limit}")
    folders = {"masks": masks, "masked_images": masked_images, "ground_truth": ground_truth}
    given = {role: path for role, path in folders.items() if path is not None}
    csv = given.pop("ground_truth") if ground_truth is not None and not ground_truth.is_dir() else None

    files: dict[str, dict[int, Path]] = {}
    problems: list[str] = []
    for role, folder in given.items():
        files[role], found = scan(folder)
        problems += found
    numbers = sorted(set().union(*files.values()))
    problems += _missing(files, given, numbers)

    chosen = numbers[:limit]
    pictures: dict[str, Pictures] = {}
    for role in given:
        pictures[role], found = _decode_all({n: files[role][n] for n in chosen if n in files[role]}, role)
        problems += found
    size = (image_size, image_size) if image_size is not None else _usual_size(pictures)
    problems += _drop_other_sizes(pictures, files, size)
    if csv is not None:
        try:
            pictures["ground_truth"] = _csv_pictures(csv, numbers, chosen, size)
        except ProblemList as error:
            problems += [f"{one_line(csv.name)}: {problem}" for problem in error.problems]
        except InputError as error:
            problems.append(str(error))
    problems += _content_problems(pictures, files)
    if problems:
        raise problem_list(", ".join(str(path) for path in folders.values() if path is not None), problems)

    hole = np.stack([pictures["masks"][n][0] == 0 for n in chosen])
    truth = np.stack([pictures["ground_truth"][n] for n in chosen]) if ground_truth is not None else None
    sources = {role: str(path) for role, path in folders.items() if path is not None}
    if "masked_images" in pictures:
        masked = np.stack([pictures["masked_images"][n] for n in chosen])
    else:
        assert truth is not None
        masked = _paint(truth, hole)
        sources["masked_images"] = f"ground_truth with the hole painted {HOLE_GREY}"
    name = masks.resolve().parent.name or masks.name
    return _test_set(name, np.array(chosen, dtype=np.int64), masked, hole, truth, sources)


def _test_set(
    name: str,
    image_ids: NDArray[np.int64],
    masked: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    truth: NDArray[np.uint8] | None,
    sources: dict[str, str],
) -> TestSet:
    pixel_sha256 = tuple(
        hashlib.sha256(image.tobytes() + h.tobytes()).hexdigest() for image, h in zip(masked, hole, strict=True)
    )
    return TestSet(name, image_ids, masked, hole, truth, sources, pixel_sha256)


def _paint(truth: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(hole[:, None], np.uint8(HOLE_GREY), truth)


def _missing(files: Mapping[str, dict[int, Path]], folders: Mapping[str, Path], numbers: list[int]) -> list[str]:
    problems = []
    for number in numbers:
        there = next(role_files[number] for role_files in files.values() if number in role_files)
        problems += [
            f"{short_name(there)}: no file with the number {number} in {one_line(folders[role].name)} ({role})"
            for role in files
            if number not in files[role]
        ]
    return problems


def _decode_all(files: Mapping[int, Path], role: str) -> tuple[Pictures, list[str]]:
    pictures: Pictures = {}
    problems = []
    for number, path in files.items():
        try:
            pictures[number] = decode(path, channels=1 if role == "masks" else 3)
        except InputError as error:
            problems.append(f"{short_name(path)}: {error}")
    return pictures, problems


def _usual_size(pictures: Mapping[str, Pictures]) -> tuple[int, int]:
    sizes = Counter(p.shape[1:] for role_pictures in pictures.values() for p in role_pictures.values())
    return sizes.most_common(1)[0][0] if sizes else _UNKNOWN


def _drop_other_sizes(
    pictures: dict[str, Pictures], files: Mapping[str, dict[int, Path]], size: tuple[int, int]
) -> list[str]:
    """Take out pictures of another size, which cannot be compared with the others; say which."""
    problems = []
    for role, role_pictures in pictures.items():
        for number in [n for n, p in role_pictures.items() if p.shape[1:] != size]:
            height, width = role_pictures.pop(number).shape[1:]
            problems.append(f"{short_name(files[role][number])}: {width}×{height} pixels, want {size[1]}×{size[0]}")
    return problems


def _csv_pictures(path: Path, numbers: list[int], chosen: list[int], size: tuple[int, int]) -> Pictures:
    rows = read_csv(path)
    if len(rows) != len(numbers):
        raise InputError(
            f"{one_line(str(path))}: {len(rows)} rows below the header line, but {len(numbers)} images (the first line "
            "is always taken for the header); write one row an image, in ascending order of the images' numbers"
        )
    if size == _UNKNOWN:
        return {}
    height, width = size
    if rows.shape[1] != 3 * height * width:
        raise InputError(
            f"{one_line(str(path))}: {rows.shape[1]} columns, want {3 * height * width} = {height}·{width}·3 (height, "
            "width, channel); write pixels alone, without an index column"
        )
    images = rows[: len(chosen)].reshape(-1, height, width, 3).transpose(0, 3, 1, 2)
    return dict(zip(chosen, np.ascontiguousarray(images), strict=True))


def _content_problems(pictures: Mapping[str, Pictures], files: Mapping[str, dict[int, Path]]) -> list[str]:
    """Look into masks and, where a mask is right by itself, at what it is given with."""
    mask_files, masked_files = files["masks"], files.get("masked_images", {})
    found = {number: mask_problem(mask[0]) for number, mask in pictures["masks"].items()}
    holes = {n: pictures["masks"][n][0] == 0 for n, problem in found.items() if problem is None}
    if "masked_images" not in pictures:
        found |= {number: polarity_problem(hole) for number, hole in holes.items()}
    problems = [f"{short_name(mask_files[n])}: {problem}" for n, problem in found.items() if problem]
    if "masked_images" not in pictures:
        return problems
    whole = [n for n in holes if all(n in role_pictures for role_pictures in pictures.values())]
    if not whole:
        return problems
    masked = np.stack([pictures["masked_images"][n] for n in whole])
    truth = np.stack([pictures["ground_truth"][n] for n in whole]) if "ground_truth" in pictures else None
    pairs = pair_problems(masked, np.stack([holes[n] for n in whole]), truth)
    return problems + [
        f"{short_name(mask_files[n])} and {short_name(masked_files[n])}: {problem}"
        for n, problem in zip(whole, pairs, strict=True)
        if problem
    ]
