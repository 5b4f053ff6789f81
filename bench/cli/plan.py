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
    read_spec,
)


def plan(
    grid: GridFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder whose store is searched.", show_default=False)
    ] = None,
    given: Set = None,
    limit: Limit = None,
    device: Device = None,
    format: Format = "rich",
    as_json: AsJson = False,
) -> None:
    """Show cells, transformer passes, operations, reuse and every setting; run nothing.

    Example: maskbench plan grid.toml --set grid.total_iter=[8,12] --json
    """
    from bench.document.output import publish
    from bench.grid.spec import with_paths_from
    from bench.report.plan import plan_document, preview
    from bench.results.folder import OtherSchemaError, open_run
    from bench.run.environment import resolve_device
    from bench.run.inputs import open_inputs
    from bench.run.reading import examined
    from bench.store.store import Store

    written = read_spec(grid, given, limit, device)
    spec = with_paths_from(written, grid.parent)
    folder = output or Path("results") / spec.run.name
    earlier = None
    if (folder / "run.json").is_file():
        with suppress(OtherSchemaError):  # gives no estimate, and the next run replaces it
            earlier = open_run(folder)
    store = Store(spec.execution.store or folder / "store")
    inputs = examined(open_inputs(spec, grid.parent))
    content = preview(spec, inputs, store, resolve_device(spec.execution.device), earlier)
    content_with_spec = {**content, "spec": written.model_dump(mode="json")}
    publish("json" if as_json else format, lambda: plan_document(content), lambda: content_with_spec)
