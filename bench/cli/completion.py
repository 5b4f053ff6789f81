"""Shell completion of names from a run folder or the package; an error gives no completions."""

from __future__ import annotations

from pathlib import Path

import typer


def cell_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of the cells in the run folder on the command line (for the gate: in its baseline)."""
    # Imported here because it takes half a second that only a completion should pay.
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Arguments are among `ctx.args`: while an option still lacks its value, Click does not assign them to parameters.
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
