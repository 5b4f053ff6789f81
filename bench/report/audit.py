"""An audit as a document for people and as JSON for programs.

`maskbench audit --json` (keys are only added while `schema` is 1; `null` if something was not searched for):

test                path, images, distinct, copies (images − distinct), width, height (pixels)
train               one per folder: path, images, same_size (images that can be exact copies at all), exact, suspected,
                    passed_over (names of sub-folders, which are not searched)
in_training         test images that are in any training folder, pixel by pixel; null without --train
clean               the others; null without --train
suspected           clean test images with a suspected near-copy in a training folder (per folder: in that folder)
suspected_in_test   test images with a suspected near-copy among the test images with different pixels
near                the search: hash, bits, threshold (bits), shift (share of the side); null with --exact-only
copies              within the test set: image, of
exact               image, folder, file: the first such file of each folder
near_copies         image, folder (null: the test set itself), file, distance (bits): the closest file of each folder for
                    each clean test image, and the closest test image with different pixels for every test image
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.document.model import Block, Bullets, Document, Item, Paragraph, Section, Table, Tone
from maskgit.data import near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.audit.copies import Audit, FolderOverlap, Suspects

SCHEMA = 1
SHOWN = 5
"""Number of findings of each kind that the report lists; the rest are only counted."""


def as_json(audit: Audit, path: str, names: Sequence[str]) -> dict[str, Any]:
    """Lay out an audit for programs; `names` holds one name per test image."""
    height, width = audit.image_size
    return {
        "schema": SCHEMA,
        "test": {
            "path": path,
            "images": audit.n_test,
            "distinct": audit.n_distinct,
            "copies": audit.n_test - audit.n_distinct,
            "width": width,
            "height": height,
        },
        "train": [
            {
                "path": folder.name,
                "images": folder.n_images,
                "same_size": folder.n_same_size,
                "exact": int(folder.exact.sum()),
                "suspected": int((folder.near & audit.clean).sum()) if folder.suspects else None,
                "passed_over": list(folder.passed_over),
            }
            for folder in audit.folders
        ],
        "in_training": int(audit.in_training.sum()) if audit.folders else None,
        "clean": int(audit.clean.sum()) if audit.folders else None,
        "suspected": int(audit.near_training.sum()) if audit.folders and audit.suspects else None,
        "suspected_in_test": int(audit.suspects.found.sum()) if audit.suspects else None,
        "near": {
            "hash": near.HASH,
            "bits": near.BITS,
            "threshold": near.THRESHOLD,
            "shift": near.SHIFT / near.SIDE,
        }
        if audit.suspects
        else None,
        "copies": _copies(audit, names),
        "exact": [copy for folder in audit.folders for copy in _exact(folder, names)],
        "near_copies": _near_copies(audit, names),
    }


def audit_document(content: dict[str, Any], everything: bool = False) -> Document:
    """The result of `as_json` as a document: the counts, then findings by name (the first five of each kind, or all)."""
    parts: list[Section | Block] = [Bullets(tuple(map(Item, _summary(content))))]
    if content["train"]:
        parts.append(_folders(content))
    if content["near"]:
        parts.append(Paragraph(_method(content["near"]), Tone.QUIET))
    parts += [_finding(title, names, everything) for title, names in _findings(content) if names]
    return Document(f"maskbench audit: {content['test']['path']}", tuple(parts))


def _finding(title: str, names: list[str], everything: bool) -> Section:
    listed = names if everything else names[:SHOWN]
    more = [Item(f"and {len(names) - SHOWN} more (--list lists all)")] if len(names) > len(listed) else []
    return Section(title, (Bullets((*map(Item, listed), *more)),))


def _summary(content: dict[str, Any]) -> list[str]:
    test, suspected = content["test"], content["suspected"]
    size = f"{test['width']}×{test['height']}"
    lines = [f"{test['images']} test images of {size}, {test['distinct']} distinct"]
    if content["suspected_in_test"]:
        lines.append(f"{content['suspected_in_test']} are suspected near-copies of another test image")
    if content["train"]:
        among = f", but {suspected} of these are suspected near-copies" if suspected else ""
        lines.append(
            f"{content['in_training']} are in the training folders, pixel by pixel; {content['clean']} are not{among}"
        )
    lines += [
        f"{folder['path']}: {folder['images'] - folder['same_size']} images of another size, none of which can be an "
        "exact copy"
        for folder in content["train"]
        if folder["same_size"] < folder["images"]
    ]
    lines += [
        f"{folder['path']}: {len(folder['passed_over'])} sub-folders are not searched ({folder['passed_over'][0]}, …); "
        "give each as a --train of its own"
        for folder in content["train"]
        if folder["passed_over"]
    ]
    return lines


def _folders(content: dict[str, Any]) -> Table:
    """Counts per training folder, and over all of them."""
    rows = [
        (folder["path"], *_counts(folder["images"], folder["exact"], folder["suspected"]))
        for folder in content["train"]
    ]
    images = sum(folder["images"] for folder in content["train"])
    rows.append(("any of them", *_counts(images, content["in_training"], content["suspected"])))
    return Table(("training folder", "images", "exact copies", "suspected"), tuple(rows), (1, 2, 3))


def _counts(*numbers: int | None) -> list[str]:
    return ["–" if number is None else f"{number:,}" for number in numbers]


def _method(search: dict[str, Any]) -> str:
    return (
        f"Exact copies are certain. Suspected: at most {search['threshold']} of {search['bits']} bits of a {search['hash']} "
        f"differ, mirrored or shifted by up to {100 * search['shift']:.0f} % of the side; an image with an exact copy in "
        "training is not counted again. docs/audit.md gives the error rates."
    )


def _findings(content: dict[str, Any]) -> list[tuple[str, list[str]]]:
    near_copies = sorted(content["near_copies"], key=lambda copy: copy["distance"])
    return [
        ("Copies within the test set", [f"{copy['image']} = {copy['of']}" for copy in content["copies"]]),
        (
            "Exact copies in training folders",
            [f"{copy['image']} = {copy['folder']}/{copy['file']}" for copy in content["exact"]],
        ),
        (
            "Suspected near-copies, closest first",
            [
                f"{copy['image']} ~ {copy['folder'] or content['test']['path']}/{copy['file']} "
                f"({copy['distance']} bits)"
                for copy in near_copies
            ],
        ),
    ]


def _copies(audit: Audit, names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"image": names[i], "of": names[audit.copy_of[i]]} for i in np.flatnonzero(audit.is_copy).tolist()]


def _exact(folder: FolderOverlap, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"image": names[i], "folder": folder.name, "file": folder.files[folder.copy[i]]}
        for i in np.flatnonzero(folder.exact).tolist()
    ]


def _near_copies(audit: Audit, names: Sequence[str]) -> list[dict[str, Any]]:
    everyone = np.ones(audit.n_test, np.bool_)
    searches: list[tuple[str | None, Sequence[str], Suspects | None, NDArray[np.bool_]]] = [
        *((folder.name, folder.files, folder.suspects, audit.clean) for folder in audit.folders),
        (None, names, audit.suspects, everyone),
    ]
    near_copies: list[dict[str, Any]] = []
    for folder, files, suspects, searched in searches:
        if suspects is not None:
            for i in np.flatnonzero(suspects.found & searched).tolist():
                file, distance = files[suspects.index[i]], int(suspects.distance[i])
                near_copies.append({"image": names[i], "folder": folder, "file": file, "distance": distance})
    return near_copies
