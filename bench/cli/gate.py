"""`maskbench gate` and `maskbench baseline save`: a check whether a run is worse than a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    CELL_HELP,
    AsJson,
    Format,
    RunFolderArgument,
    TextFormat,
)
from bench.cli.completion import cell_ids


def gate(
    run: RunFolderArgument,
    baseline: Annotated[Path, typer.Option(help="The baseline: a run folder or a saved baseline.", show_default=False)],
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Gate only this cell of the baseline: {CELL_HELP}. May be repeated.",
            show_default=False,
            autocompletion=cell_ids,
        ),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Probability of a false alarm in any cell.", show_default=False)
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Largest rise that passes, as a share of the score.", show_default=False)
    ] = None,
    tolerance_excess: Annotated[
        float | None,
        typer.Option(help="The same as a share of the excess over the rFID floor.", show_default=False),
    ] = None,
    tolerance_absolute: Annotated[
        float | None, typer.Option(help="The same in units of the score.", show_default=False)
    ] = None,
    tolerance_test: Annotated[
        str | None,
        typer.Option(help="noninferiority or estimate: what has to be within tolerance.", show_default=False),
    ] = None,
    max_score: Annotated[float | None, typer.Option(help="Highest score that passes.", show_default=False)] = None,
    min_throughput_ratio: Annotated[
        float | None,
        typer.Option(help="Lowest speed that passes, as a ratio to the baseline's.", show_default=False),
    ] = None,
    suspicious: Annotated[
        float | None, typer.Option(help="Fall that is flagged, as a share of the score.", show_default=False)
    ] = None,
    suspicious_excess: Annotated[
        float | None, typer.Option(help="The same as a share of the excess.", show_default=False)
    ] = None,
    inconclusive: Annotated[
        str | None,
        typer.Option(help="pass, fail or exit (code 5): the result of inconclusive cells.", show_default=False),
    ] = None,
    permutations: Annotated[int | None, typer.Option(help="Permutations per cell.", show_default=False)] = None,
    format: Format = TextFormat.RICH,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.", show_default=False)] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations, and append to $GITHUB_STEP_SUMMARY.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide cell by cell whether a run is worse than a baseline, beyond chance and beyond tolerance.

    Exit code 0: passed. 1: worse. 2: bad input. 3: not comparable, or no baseline. 4: not finished.
    5: inconclusive, with --inconclusive exit.
    The rules come from the baseline's run (section gate of its TOML); options override them.

    Example: maskbench gate results/new --baseline results/baseline --junit gate.xml --github
    """
    from bench.gate.command import Reports
    from bench.gate.command import gate as decide
    from bench.report.cell_names import cell_ids_of

    cells = cell_ids_of(baseline, cell) if cell and baseline.exists() else cell
    given = {
        "cells": cells, "alpha": alpha, "tolerance": tolerance, "tolerance_excess": tolerance_excess,
        "tolerance_absolute": tolerance_absolute, "tolerance_test": tolerance_test, "max_score": max_score,
        "min_throughput_ratio": min_throughput_ratio, "suspicious": suspicious, "suspicious_excess": suspicious_excess,
        "inconclusive": inconclusive, "permutations": permutations,
    }  # fmt: skip
    overrides = {key: value for key, value in given.items() if value is not None}
    outcome = decide(run, baseline, overrides, Reports(TextFormat.JSON if as_json else format, junit, github))
    raise typer.Exit(outcome.exit_code)


def baseline_save(
    run: RunFolderArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an earlier baseline to replace.")],
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Keep this cell: {CELL_HELP}. May be repeated; all by default.",
            show_default=False,
            autocompletion=cell_ids,
        ),
    ] = None,
) -> None:
    """Write what a gate needs from a run's cells to a small folder, to commit with the code.

    Example: maskbench baseline save results/mine results/baseline --cell cosine-8-8-1a2b3c
    """
    from bench.gate.baseline import save_baseline
    from bench.report.cell_names import cell_ids_of

    saved = save_baseline(run, folder, cell_ids_of(run, cell or ()))
    typer.echo(f"{folder}: {saved.cells} cells, {saved.size_bytes / 1e6:.2f} MB")
