"""`maskbench plan`: the work and cost of a grid."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.arguments import (
    AsJson,
    Device,
    Format,
    GridFile,
    Limit,
    Set,
    TextFormat,
    read_spec,
)


def plan(
    grid: GridFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The run folder; results/<name> by default.", show_default=False),
    ] = None,
    given: Set = None,
    limit: Limit = None,
    device: Device = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Predict a run on N workers.", metavar="N", show_default=False)
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=1, help="Predict it for N test images.", metavar="N", show_default=False)
    ] = None,
    format: Format = TextFormat.RICH,
    as_json: AsJson = False,
) -> None:
    """Show cells, passes, operations, every setting, and what a run would do with its folder; run nothing.

    --workers and --images add the time, memory, disk and network that a run on so many workers and images would need.

    Example: maskbench plan grid.toml --set grid.total_iter=[8,12] --json
    """
    import os

    from bench.document.output import publish
    from bench.grid.spec import with_paths_from
    from bench.report.plan import Destination, plan_document, preview
    from bench.results.folder import OtherSchemaError, open_run
    from bench.results.identity import read_identity
    from bench.run.environment import resolve_device
    from bench.run.inputs import open_inputs
    from bench.run.reading import examined
    from bench.run.tile_memory import starting_tile, with_tile
    from bench.store.store import Store

    written = read_spec(grid, given, limit, device)
    spec = with_paths_from(written, grid.parent)
    folder = output or Path("results") / spec.run.name
    earlier = None
    if (folder / "run.json").is_file():
        with suppress(OtherSchemaError):  # gives no estimate, and the next run replaces it
            earlier = open_run(folder)
    store = Store(spec.execution.store or folder / "store")
    before = read_identity(folder)
    destination = Destination(folder, os.path.relpath(grid.parent, folder), store, before, earlier)
    spec = with_tile(spec, starting_tile(before, written))
    inputs = examined(open_inputs(spec, grid.parent))
    content = preview(written, spec, inputs, destination, resolve_device(spec.execution.device), workers, images)
    content_with_spec = {**content, "spec": written.model_dump(mode="json")}
    publish(TextFormat.JSON if as_json else format, lambda: plan_document(content), lambda: content_with_spec)
