"""A small finished run of the bundled model, whose files are mutated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bench
from bench.grid.spec import parse_spec

if TYPE_CHECKING:
    from pathlib import Path


def small_run(folder: Path) -> Path:
    """The run folder."""
    raw = {
        "model": {"checkpoint": "catfaces"},
        "data": {"dataset": "catfaces", "count": 4},
        "grid": {"gamma": ["cosine", "linear"], "total_iter": 2},
        "metrics": {"features": "efficientnet-lite0"},
        "throughput": {"repeats": 1, "checks": 0, "warm_up": 0},
        "execution": {"device": "cpu", "threads": 1, "tile": 4},
    }
    return bench.run(parse_spec(raw, "fuzz"), folder / "run", base=folder, quiet=True)
