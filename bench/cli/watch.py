"""`maskbench watch`: the progress of a run in another process."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.arguments import RunFolderArgument


def watch(
    run: RunFolderArgument,
    json_logs: Annotated[
        bool,
        typer.Option("--json-logs", help="Show progress as JSON lines on standard error (keys: docs/json-logs.md)."),
    ] = False,
) -> None:
    """Show the progress of a run in another process until it ends, then its summary.

    Exit code 4 if the run stopped before its end.

    Example: maskbench watch results/mine
    """
    from bench.report.formats import summary
    from bench.report.watch import watch as follow

    follow(run, json_logs)
    summary(run)
