"""`maskbench fid`: FID of any two sets of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    AllowUnverified,
    AsJson,
    Device,
    print_json,
)
from bench.cli.completion import extractors


def fid(
    a: Annotated[Path, typer.Argument(metavar="A", help="The generated images.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The reference.", show_default=False)],
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The extractor; inception by default.",
            show_default=False,
            autocompletion=extractors,
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="The extractor's weights; torch hub's cache by default.", show_default=False)
    ] = None,
    allow_unverified_weights: AllowUnverified = False,
    device: Device = None,
    paired: Annotated[
        bool,
        typer.Option("--paired/--disjoint", help="B has the originals of A, matched by number; or independent images."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Use pytorch-fid's order of operations, bit for bit; slower.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write cached features.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress and no notes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print FID, its standard error, KID and N for two sets of images.

    Each set is a folder, a CSV with one row per image, an .npz or .npy of images, a Parquet file of features (column
    feature), or an .npz of pytorch-fid.

    Example: maskbench fid images test_gt.csv --paired --json
    """
    from platformdirs import user_cache_path

    from bench.document.text import clean
    from bench.fid.compare import compare
    from bench.fid.report import as_json as to_json
    from bench.fid.report import as_line

    comparison = compare(
        a,
        b,
        features=features,
        weights=weights,
        allow_unverified=allow_unverified_weights,
        device=device or "auto",
        paired=paired,
        strict=strict,
        cache=None if no_cache else user_cache_path("maskbench", appauthor=False),
        quiet=quiet,
    )
    for note in () if quiet else comparison.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    if as_json:
        print_json(to_json(comparison))
    else:
        typer.echo(as_line(comparison))
