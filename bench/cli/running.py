"""Running a grid: run, plan, doctor."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.arguments import AllowUnverified, AsJson, Device, GridFile, Limit, print_json
from bench.cli.group import GO_ON, JSON_LOGS
from bench.errors import EXIT_INCOMPLETE

if TYPE_CHECKING:
    from bench.grid.spec import Spec


def run(
    ctx: typer.Context,
    grid: GridFile,
    output: Annotated[
        Path | None, typer.Option(help="The run folder; results/<name> if not given.", show_default=False)
    ] = None,
    limit: Limit = None,
    device: Device = None,
    allow_unverified_weights: AllowUnverified = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Skip a checkpoint that cannot be decoded; exit code 4 then.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no report.")] = False,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Progress as JSON lines on standard error (keys: docs/json-logs.md).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Inpaint the test set at every cell of a grid, score it, write tables, show the report.

    Stop it at any time: the same command goes on from there.

    Example: maskbench run grid.toml --output results/mine --limit 64
    """
    from bench.report.formats import report as show

    ctx.meta[JSON_LOGS] = json_logs
    ctx.meta[GO_ON] = "finished work is kept, the same command goes on from there"
    spec = _spec(grid, limit, device, allow_unverified_weights)
    folder = output or Path("results") / spec.run.name
    import bench

    bench.run(spec, folder, base=grid.parent, quiet=quiet, keep_going=keep_going, json_logs=json_logs)
    if as_json:
        show(folder, "json")
    elif not quiet:
        show(folder)
    if not bench.load(folder).complete:
        raise typer.Exit(EXIT_INCOMPLETE)


def plan(
    grid: GridFile,
    output: Annotated[
        Path | None, typer.Option(help="Run folder whose store to look into.", show_default=False)
    ] = None,
    limit: Limit = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Show cells, passes, operations, reuse and every setting; run nothing.

    Example: maskbench plan grid.toml --json
    """
    from rich.console import Console

    from bench.grid.spec import with_paths_from
    from bench.report.plan import preview, show
    from bench.results.folder import OtherSchemaError, open_run
    from bench.run.environment import resolve_device
    from bench.run.inputs import open_inputs
    from bench.store.store import Store

    written = _spec(grid, limit, device)
    spec = with_paths_from(written, grid.parent)
    folder = output or Path("results") / spec.run.name
    earlier = None
    if (folder / "run.json").is_file():
        with suppress(OtherSchemaError):  # it gives no estimate, and the run to come replaces it
            earlier = open_run(folder)
    store = Store(spec.execution.store or folder / "store")
    content = preview(spec, open_inputs(spec, grid.parent), store, resolve_device(spec.execution.device), earlier)
    if as_json:
        print_json({**content, "spec": written.model_dump(mode="json")})
    else:
        show(content, Console())


def doctor() -> None:
    """Check the installation: versions, device, bundled weights, extractors.

    Example: maskbench doctor
    """
    from rich.console import Console

    from bench.run.doctor import examine

    if not examine(Console()):
        raise typer.Exit(2)


def _spec(grid: Path, limit: int | None, device: str | None, unverified: bool = False) -> Spec:
    """The spec of a file with what the command line overrides."""
    from bench.grid.spec import load_spec

    overrides: dict[str, dict[str, Any]] = {}
    if limit is not None:
        overrides["data"] = {"limit": limit}
    if device is not None:
        overrides["execution"] = {"device": device}
    if unverified:
        overrides["metrics"] = {"allow_unverified_weights": True}
    return load_spec(grid, overrides)
