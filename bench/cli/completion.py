"""Shell completion of what a run folder or the package knows; it answers with nothing rather than with an error."""

from __future__ import annotations

from pathlib import Path

import typer


def cell_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of the cells of the run folder on the command line (for the gate: of its baseline)."""
    # Here, because it takes half a second that only a completion should pay.
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Arguments stand among the rest: an option that still waits for its value stops them from being told apart.
    folder = ctx.params.get("baseline") or next(iter(ctx.args), None)
    if folder is None:
        return []
    try:
        known = pq.read_table(Path(folder) / "cells.parquet", columns=["cell_id"])["cell_id"].to_pylist()
    except (OSError, pa.ArrowException, KeyError):
        return []
    return [str(cell_id) for cell_id in known if str(cell_id).startswith(incomplete)]


def extractors(incomplete: str) -> list[str]:
    """Names of the feature extractors."""
    from bench.features.sources import EXTRACTORS

    return [name for name in EXTRACTORS if name.startswith(incomplete)]
