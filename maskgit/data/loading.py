"""Load a test set from users' folders: match files by number, check every file, and note every decision."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskgit.data.checks import (
    INVERTED,
    MasksAre,
    hole_is_white,
    hole_problem,
    pair_problems,
    size_problems,
)
from maskgit.data.csv_truth import read_truth_csv
from maskgit.data.decode import decode_file
from maskgit.data.folders import listed, skipped_note
from maskgit.data.mask_files import MaskFile, mask_notes, read_mask
from maskgit.data.numbering import Numbered, match, missing, shifted
from maskgit.data.problems import ProblemList, counted, problem_list, short_name
from maskgit.data.testset import TestSet, make_test_set
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MASKS, MASKED, TRUTH = "masks", "masked_images", "ground_truth"

Images = dict[int, NDArray[np.uint8]]
Size = tuple[int, int]


@dataclass
class Findings:
    """Problems with single files, each as "name: problem", and notes for the report."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load_test_set(
    *,
    masks: Path,
    ground_truth: Path,
    masked_images: Path | None = None,
    limit: int | None = None,
    masks_are: MasksAre = "auto",
) -> TestSet:
    """Read a masked test set from folders and check all of it.

    Files are matched by a number in their names (`maskgit.data.numbering`), never by position. Every number needs
    one file in every folder; images that only the ground truth has are left out. Without `masked_images`, holes are
    painted grey 128 over the ground truth. `maskgit.data.checks` lists the checks of pairs, docs/data.md the accepted files.

    Args:
        masks: Folder; black and white, see `maskgit.data.mask_files`.
        ground_truth: Folder, RGB; or a CSV, see `maskgit.data.pixel_csv`.
        masked_images: Folder, RGB, the hole painted in one plain colour.
        limit: Decode only this many images, those with the smallest numbers. Names and counts are checked for all.
        masks_are: Which side of a mask is the hole. "auto": the side painted in the masked images, else black.

    Raises:
        InputError: problems, file by file, in one line.
    """
    if limit is not None and limit < 1:
        raise InputError(f"data.limit must be at least 1, got {limit}")
    given = {MASKS: masks, MASKED: masked_images, TRUTH: ground_truth}
    sources = {role: path for role, path in given.items() if path is not None}
    folders = {role: path for role, path in sources.items() if role != TRUTH or path.is_dir()}
    findings = Findings()
    files = _match_files(folders, findings)
    numbers = sorted(set(files[MASKS]).union(files.get(MASKED, ())))
    chosen = {role: {n: numbered[n] for n in numbers[:limit] if n in numbered} for role, numbered in files.items()}

    mask_files = _read_masks(chosen[MASKS], findings)
    images = {role: _read_images(role, chosen[role], findings) for role in folders if role != MASKS}
    size = _usual_size(mask_files, images)
    _drop_other_sizes(mask_files, images, chosen, size, findings)
    if TRUTH not in folders and size is not None:
        images[TRUTH] = _read_csv(ground_truth, numbers, limit, size, images.get(MASKED), findings)
    holes = _decide_holes(mask_files, images, masks_are, findings)
    _check_holes(holes, images, chosen, masks_are, _any_lossy(mask_files), findings)
    if findings.problems:
        where = ", ".join(str(path) for path in sources.values())
        raise problem_list(where, findings.problems, total=len(numbers[:limit]))

    return make_test_set(
        masks.resolve().parent.name or masks.name,
        np.array(numbers[:limit], dtype=np.int64),
        _stack(images[TRUTH]),
        np.stack([holes[n] for n in numbers[:limit]]),
        {role: str(path) for role, path in sources.items()},
        _stack(images[MASKED]) if MASKED in images else None,
        tuple(findings.notes),
    )


def _match_files(folders: Mapping[str, Path], findings: Findings) -> dict[str, Numbered]:
    """Files of each folder by number; a ground-truth folder may hold more images than the test set."""
    matching = match({role: listed(folder) for role, folder in folders.items()}, larger=TRUTH)
    if cause := shifted(matching.files):
        raise problem_list(", ".join(map(str, folders.values())), [cause])
    findings.notes += [*skipped_note(list(folders.values())), *matching.notes]
    findings.problems += [*matching.problems, *missing(matching.files, folders, larger=TRUTH)]
    if extra := len(set(matching.files.get(TRUTH, ())) - set(matching.files[MASKS])):
        total = counted(len(matching.files[TRUTH]), "image")
        findings.notes.append(
            f"ground_truth holds {total}, of which {extra} belong to no mask and are left out (matched by number)"
        )
    return matching.files


def _read_masks(files: Numbered, findings: Findings) -> dict[int, MaskFile]:
    masks: dict[int, MaskFile] = {}
    for number, path in files.items():
        try:
            masks[number] = read_mask(path)
        except InputError as error:
            findings.problems.append(f"{short_name(path)}: {error}")
    findings.notes += mask_notes({files[number]: mask for number, mask in masks.items()})
    return masks


def _read_images(role: str, files: Numbered, findings: Findings) -> Images:
    images: Images = {}
    opaque = []
    for number, path in files.items():
        try:
            decoded = decode_file(path, channels=3)
        except InputError as error:
            findings.problems.append(f"{short_name(path)}: {error}")
            continue
        images[number] = decoded.pixels
        if decoded.mode == "RGBA":
            opaque.append(number)
    if opaque:
        findings.notes.append(
            f"{role}: dropped the alpha channel of {counted(len(opaque), 'image')}, opaque everywhere"
        )
    return images


def _usual_size(masks: Mapping[int, MaskFile], images: Mapping[str, Images]) -> Size | None:
    """Height and width of most images and masks; None if none could be decoded."""
    sizes: Counter[Size] = Counter(mask.white.shape for mask in masks.values())
    sizes.update(image.shape[1:] for of_role in images.values() for image in of_role.values())
    return sizes.most_common(1)[0][0] if sizes else None


def _drop_other_sizes(
    masks: dict[int, MaskFile],
    images: Mapping[str, Images],
    files: Mapping[str, Numbered],
    usual: Size | None,
    findings: Findings,
) -> None:
    """Remove and report images of another size, which cannot be compared with the others."""
    sizes = {MASKS: {number: mask.white.shape for number, mask in masks.items()}}
    sizes |= {role: {number: image.shape[1:] for number, image in of_role.items()} for role, of_role in images.items()}
    for role, of_role in sizes.items():
        for number, size in of_role.items():
            if size != usual and usual is not None:
                (masks if role == MASKS else images[role]).pop(number)
                findings.problems.append(
                    f"{short_name(files[role][number])}: {size[1]}×{size[0]} pixels, want {usual[1]}×{usual[0]}"
                )


def _read_csv(
    path: Path, numbers: list[int], limit: int | None, size: Size, masked: Images | None, findings: Findings
) -> Images:
    try:
        truth, notes = read_truth_csv(path, numbers, limit, size, masked)
    except ProblemList as error:
        findings.problems += [f"{one_line(path.name)} {problem}" for problem in error.problems]
        return {}
    except InputError as error:
        findings.problems.append(str(error))
        return {}
    findings.notes += notes
    return truth


def _decide_holes(
    masks: Mapping[int, MaskFile], images: Mapping[str, Images], masks_are: MasksAre, findings: Findings
) -> dict[int, NDArray[np.bool_]]:
    """The hole of every mask, on the requested side or on the side that the masked images show."""
    white_is_hole = masks_are == "hole_white"
    whole = [
        n for n in masks if all(n in images.get(role, ()) for role in (MASKED, TRUTH)) and _has_two_sides(masks[n])
    ]
    if masks_are == "auto" and whole:
        white = np.stack([masks[n].white for n in whole])
        white_is_hole = hole_is_white(
            _stack(images[MASKED], whole), white, _stack(images[TRUTH], whole), lossy=_any_lossy(masks)
        )
        if white_is_hole:
            findings.notes.append(
                "masks: white is the hole, because that is where the masked images are painted (data.masks_are = "
                '"hole_black" says otherwise)'
            )
    return {number: mask.white if white_is_hole else ~mask.white for number, mask in masks.items()}


def _any_lossy(masks: Mapping[int, MaskFile]) -> bool:
    return not all(mask.exact for mask in masks.values())


def _has_two_sides(mask: MaskFile) -> bool:
    return bool(mask.white.any() and not mask.white.all())


def _check_holes(
    holes: Mapping[int, NDArray[np.bool_]],
    images: Mapping[str, Images],
    files: Mapping[str, Numbered],
    masks_are: MasksAre,
    lossy: bool,
    findings: Findings,
) -> None:
    """Check each hole by itself and, if it is valid, against its images."""
    problems = {number: hole_problem(hole) for number, hole in holes.items()}
    right = [number for number, problem in problems.items() if problem is None]
    mask_files = files[MASKS]
    if MASKED not in images and masks_are == "auto" and right:
        suspects = size_problems(np.stack([holes[n] for n in right]))
        problems |= dict(zip(right, suspects, strict=True))
    findings.problems += [f"{short_name(mask_files[n])}: {problem}" for n, problem in problems.items() if problem]
    whole = [n for n in right if all(n in images.get(role, ()) for role in (MASKED, TRUTH))]
    if whole:
        pairs = pair_problems(
            _stack(images[MASKED], whole), np.stack([holes[n] for n in whole]), _stack(images[TRUTH], whole), lossy
        )
        findings.problems += [
            f"{short_name(mask_files[n])} and {short_name(files[MASKED][n])}: {_with_setting(problem, masks_are)}"
            for n, problem in zip(whole, pairs, strict=True)
            if problem
        ]


def _with_setting(problem: str, masks_are: MasksAre) -> str:
    """The problem with the setting that fixes it, if there is one."""
    if problem != INVERTED or masks_are == "auto":
        return problem
    opposite = "hole_black" if masks_are == "hole_white" else "hole_white"
    return f'{problem}; data.masks_are = "{opposite}" inverts all masks, and "auto" finds the right side'


def _stack(images: Images, numbers: list[int] | None = None) -> NDArray[np.uint8]:
    return np.stack([images[number] for number in (images if numbers is None else numbers)])
