"""An audit as a table for people and as JSON for programs.

`maskbench audit --json` (keys are only ever added while `schema` is 1; `null` where a question was not asked):

test                path, images, distinct, copies (images − distinct), width, height (pixels)
train               one a folder: path, images, same_size (images that can be exact copies at all), exact, suspected,
                    passed_over (names of sub-folders, which are not looked into)
in_training         test images that stand in any training folder, pixel by pixel; null without --train
clean               the others; null without --train
suspected           of the clean ones, those with a suspected near-copy in a training folder (in one folder: in it)
suspected_in_test   test images with a suspected near-copy among the test images of other pixels
near                the search: hash, bits, threshold (bits), shift (share of the side); null with --exact-only
copies              within the test set: image, of
exact               image, folder, file: the first such file of each folder
near_copies         image, folder (null: the test set itself), file, distance (bits): the likest file of each folder for
                    each clean test image, and the likest test image of other pixels for any
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.audit.copies import Audit, FolderOverlap
from bench.report.terminal import Ink
from maskgit.data import near

SCHEMA = 1
SHOWN = 5
"""Findings of a kind that the table names before it counts the others."""


def as_json(audit: Audit, path: str, names: Sequence[str]) -> dict[str, Any]:
    """Lay out an audit for programs; `names` holds one a test image."""
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
        "exact": [found for folder in audit.folders for found in _exact(folder, names)],
        "near_copies": _near_copies(audit, names),
    }


def show(content: dict[str, Any], console: Console, everything: bool = False) -> None:
    """Print what `as_json` made: the counts, then findings by name (the first five of a kind, or everything)."""
    ink = Ink(unicode=not console.options.ascii_only)
    for line in _summary(content):
        console.print(ink(line))
    if content["train"]:
        console.print(_folders(content, ink))
    if content["near"]:
        console.print(ink(_how(content["near"]), "dim"))
    for title, lines in _findings(content):
        if lines:
            console.print(ink(title, "bold"))
            for line in lines if everything else lines[:SHOWN]:
                console.print(ink(f"  {line}"), soft_wrap=True)
            if len(lines) > SHOWN and not everything:
                console.print(ink(f"  and {len(lines) - SHOWN} more (--list names all)", "dim"))


def _summary(content: dict[str, Any]) -> list[str]:
    test, suspected = content["test"], content["suspected"]
    size = f"{test['width']}×{test['height']}"
    lines = [f"{test['path']}: {test['images']} test images of {size}, {test['distinct']} distinct"]
    if content["suspected_in_test"]:
        lines.append(f"{content['suspected_in_test']} are suspected near-copies of another test image")
    if content["train"]:
        among = f", but {suspected} of these are suspected near-copies" if suspected else ""
        lines.append(
            f"{content['in_training']} stand in the training folders, pixel by pixel; {content['clean']} do not{among}"
        )
    lines += [
        f"{folder['path']}: {folder['images'] - folder['same_size']} images of another size, none of which can be an "
        "exact copy"
        for folder in content["train"]
        if folder["same_size"] < folder["images"]
    ]
    lines += [
        f"{folder['path']}: {len(folder['passed_over'])} sub-folders are not looked into ({folder['passed_over'][0]}, …); "
        "give each as a --train of its own"
        for folder in content["train"]
        if folder["passed_over"]
    ]
    return lines


def _folders(content: dict[str, Any], ink: Ink) -> Table:
    table = Table()
    table.add_column("training folder", overflow="fold")
    for name in ("images", "exact copies", "suspected"):
        table.add_column(name, justify="right")
    for folder in content["train"]:
        table.add_row(ink(folder["path"]), *_counts(ink, folder["images"], folder["exact"], folder["suspected"]))
    table.add_section()
    images = sum(folder["images"] for folder in content["train"])
    table.add_row("any of them", *_counts(ink, images, content["in_training"], content["suspected"]))
    return table


def _counts(ink: Ink, *numbers: int | None) -> list[Text]:
    return [ink("–" if number is None else f"{number:,}") for number in numbers]


def _how(search: dict[str, Any]) -> str:
    return (
        f"Exact copies are certain. Suspected: at most {search['threshold']} of {search['bits']} bits of a {search['hash']} "
        f"differ, mirrored or shifted by up to {100 * search['shift']:.0f} % of the side; an image with an exact copy in "
        "training is not counted again. docs/audit.md gives the error rates."
    )


def _findings(content: dict[str, Any]) -> list[tuple[str, list[str]]]:
    near_copies = sorted(content["near_copies"], key=lambda found: found["distance"])
    return [
        ("Copies within the test set", [f"{found['image']} = {found['of']}" for found in content["copies"]]),
        (
            "Exact copies in training folders",
            [f"{found['image']} = {found['folder']}/{found['file']}" for found in content["exact"]],
        ),
        (
            "Suspected near-copies, likest first",
            [
                f"{found['image']} ~ {found['folder'] or content['test']['path']}/{found['file']} "
                f"({found['distance']} bits)"
                for found in near_copies
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
    searches = [(folder.name, folder.files, folder.suspects, audit.clean) for folder in audit.folders]
    everyone = np.ones(audit.n_test, np.bool_)
    return [
        {"image": names[i], "folder": folder, "file": files[found.index[i]], "distance": int(found.distance[i])}
        for folder, files, found, among in [*searches, (None, names, audit.suspects, everyone)]
        if found is not None
        for i in np.flatnonzero(found.found & among).tolist()
    ]
