"""`maskbench audit`: is the test set clean?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    AsJson,
    print_json,
)


def audit(
    test: Annotated[
        Path, typer.Argument(metavar="TEST", help="A folder of pictures, or the lab's CSV.", show_default=False)
    ],
    train: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A training folder; may be repeated.", show_default=False)
    ] = None,
    exact_only: Annotated[
        bool, typer.Option("--exact-only", help="Skip the search for near-copies; it takes most of the time.")
    ] = False,
    everything: Annotated[bool, typer.Option("--list", help="Name every finding, not the first of each kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """Is the test set clean? Find copies and near-copies within it, and between it and training folders.

    A report: it ends with exit code 0 whatever it finds.

    Example: maskbench audit test_gt.csv --train train --train val
    """
    from rich.console import Console

    from bench.audit.copies import TEST_IMAGE
    from bench.audit.copies import audit as look
    from bench.progress.reporter import Reporter
    from bench.report.audit import as_json as to_json
    from bench.report.audit import show
    from maskgit.data.folders import listed
    from maskgit.data.images import read_ground_truth

    folders = train or []
    pictures = sum(len(listed(folder)) for folder in folders)
    names, images = read_ground_truth(test)
    with Reporter(pictures + TEST_IMAGE * len(images), stage="audit") as progress:
        found = look(images, folders, near=not exact_only, progress=progress.advance)
    content = to_json(found, str(test), names)
    if as_json:
        print_json(content)
    else:
        show(content, Console(), everything)
