"""`maskbench confirm`: the candidates for the best cell decoded again on fresh seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import OptionalRun, run_or_latest

Seeds = Annotated[int, typer.Option(min=1, max=64, help="Number of fresh seeds.")]


def confirm(
    run: OptionalRun = None,
    seeds: Seeds = 2,
    candidates: Annotated[int, typer.Option(min=1, max=64, help="Largest number of cells to decode again.")] = 8,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Decode the cells within noise of the best again on fresh seeds, and print selected and confirmed scores.

    The result is a run folder of its own, RUN/confirm, which uses the run's store; reports of RUN then show it.

    Example: maskbench confirm results/mine --seeds 3
    """
    confirm_run(run_or_latest(run), seeds, candidates, quiet)


def confirm_run(run: Path, seeds: int, candidates: int, quiet: bool) -> None:
    """Confirm a run, and print the result."""
    from bench.document.model import Document
    from bench.document.output import publish
    from bench.report.confirm import confirm as decode_again
    from bench.report.sections.confirmed import confirmed
    from bench.report.view import build
    from bench.results.folder import open_run

    decode_again(build(run), open_run(run), seeds, candidates, quiet)
    view = build(run)
    if view.confirmation is not None:
        section = confirmed(view, view.confirmation)
        publish("rich", lambda: Document(f"maskbench: {view.record.name}", (section,)), dict)
