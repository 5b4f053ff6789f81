"""The harness: a grid of decoding settings in, FID against speed out.

import bench
spec = bench.load_spec("grid.toml")
run = bench.load(bench.run(spec, "results/mine"))
run.cells.sort_values("fid")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.folder import RunFolder
    from bench.spec import Spec

__all__ = ["load", "load_spec", "run"]


def load_spec(path: str | Path) -> Spec:
    """Read a `grid.toml`.

    Raises:
        InputError: It cannot be read, or says something impossible.
    """
    from bench.spec import load_spec as read

    return read(Path(path))


def run(
    spec: Spec,
    output: str | Path,
    base: str | Path | None = None,
    quiet: bool = False,
    keep_going: bool = False,
    json_logs: bool = False,
) -> Path:
    """Run a benchmark and write its tables to the folder `output`; see `bench.driver.run`."""
    from bench.driver import run as drive

    return drive(spec, Path(output), Path(base) if base is not None else None, quiet, keep_going, json_logs)


def load(path: str | Path) -> RunFolder:
    """Open the tables of a finished run; see `bench.folder.RunFolder`."""
    from bench.folder import open_run

    return open_run(Path(path))
