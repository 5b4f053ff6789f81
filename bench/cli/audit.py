"""`maskbench audit`: copies of test images in the test set and in training folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    AsJson,
    Format,
    TextFormat,
)


def audit(
    test: Annotated[
        Path, typer.Argument(metavar="TEST", help="A folder of images, or the lab's CSV.", show_default=False)
    ],
    train: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A training folder; may be repeated.", show_default=False)
    ] = None,
    exact_only: Annotated[
        bool, typer.Option("--exact-only", help="Skip the search for near-copies; it takes most of the time.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--list", help="List every finding, not only the first of each kind.")
    ] = False,
    format: Format = TextFormat.RICH,
    as_json: AsJson = False,
) -> None:
    """Check whether the test set is clean: find copies and near-copies within it and in training folders.

    The exit code is 0 whether or not copies are found.

    Example: maskbench audit test_gt.csv --train train --train val
    """
    from bench.audit.copies import TEST_IMAGE
    from bench.audit.copies import audit as look
    from bench.document.output import publish, require_format
    from bench.document.text import clean
    from bench.progress.reporter import Reporter
    from bench.report.audit import as_json as to_json
    from bench.report.audit import audit_document
    from maskgit.data.folders import listed, skipped_note
    from maskgit.data.images import read_ground_truth

    format = TextFormat.JSON if as_json else format
    require_format(format)
    folders = train or []
    n_train = sum(len(listed(folder)) for folder in folders)
    truth = read_ground_truth(test)
    for note in (*truth.notes, *skipped_note(folders)):
        typer.echo(f"note: {clean(note)}", err=True)
    with Reporter(n_train + TEST_IMAGE * len(truth.images), stage="audit") as progress:
        findings = look(truth.images, folders, near=not exact_only, progress=progress.advance)
    content = to_json(findings, str(test), truth.names)
    publish(format, lambda: audit_document(content, everything), lambda: content)
