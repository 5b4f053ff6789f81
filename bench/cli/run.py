"""`maskbench run`: inpaint, score, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    AllowUnverified,
    AsJson,
    Device,
    Executor,
    GridFile,
    Limit,
    Set,
    Workers,
    read_spec,
)
from bench.cli.group import HOW_TO_RESUME, JSON_LOGS
from bench.cli.report import write_page
from bench.errors import EXIT_INCOMPLETE


def run(
    ctx: typer.Context,
    grid: GridFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The run folder; results/<name> by default.", show_default=False),
    ] = None,
    given: Set = None,
    limit: Limit = None,
    device: Device = None,
    executor: Executor = None,
    workers: Workers = None,
    allow_unverified_weights: AllowUnverified = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Skip checkpoints that cannot be decoded; the exit code is then 4.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the tables of another run in the folder; stored work is kept.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="If another process runs in the folder, wait for its end.")
    ] = False,
    confirm: Annotated[
        int, typer.Option(metavar="SEEDS", min=0, help="Then decode the best cells on this many fresh seeds (0: none).")
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show no progress, and neither write nor show a report.")
    ] = False,
    json_logs: Annotated[
        bool,
        typer.Option("--json-logs", help="Show progress as JSON lines on standard error (keys: docs/json-logs.md)."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Inpaint the test set with every cell of a grid, score the results, write tables and a page, and show a summary.

    You can stop it at any time: the same command resumes it. More cells, checkpoints, extractors or images are added to the
    run in the folder; any other run is refused there unless --replace is given.

    Example: maskbench run grid.toml --output results/mine --limit 64
    """
    from bench.report.confirm import confirm as decode_again
    from bench.report.formats import report as show
    from bench.report.formats import summary
    from bench.report.view import build

    ctx.meta[JSON_LOGS] = json_logs
    ctx.meta[HOW_TO_RESUME] = "finished work is kept, the same command resumes"
    spec = read_spec(grid, given, limit, device, allow_unverified_weights, executor, workers)
    folder = output or Path("results") / spec.run.name
    import bench

    options = {"quiet": quiet, "keep_going": keep_going, "json_logs": json_logs, "replace": replace, "wait": wait}
    bench.run(spec, folder, base=grid.parent, **options)
    if confirm and bench.load(folder).complete:
        decode_again(build(folder), bench.load(folder), confirm, quiet=quiet)
    if as_json:
        show(folder, "json")
    if not quiet:
        write_page(folder)
    if not quiet and not as_json:
        summary(folder)
    if not bench.load(folder).complete:
        raise typer.Exit(EXIT_INCOMPLETE)
