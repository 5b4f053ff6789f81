"""The harness: a grid of decoding settings in, FID against speed out.

import bench
spec = bench.load_spec("grid.toml")
run = bench.load(bench.run(spec, "results/mine"))
run.cells.sort_values("fid")
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.grid.spec import Spec
    from bench.results.folder import RunFolder

__all__ = ["load", "load_spec", "run"]


def _require_own_library() -> None:
    """Refuse to run on another `maskgit` than the one that was installed with this package."""
    spec = importlib.util.find_spec("maskgit")
    place = spec.origin if spec is not None else None
    if place is None or Path(place).resolve().parents[1] != Path(__file__).resolve().parents[1]:
        raise ImportError(
            f"maskbench needs its own package maskgit, but Python finds {place or 'none'}; rename that one or start from "
            "another folder (if there is none, install maskbench again)",
            name=__name__,
        )


_require_own_library()


class _Interface(ModuleType):
    """Keeps `bench.run` the function when the package of that name is imported, and the like."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in __all__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Interface


def load_spec(path: str | Path) -> Spec:
    """Read a `grid.toml`.

    Raises:
        InputError: It cannot be read, or says something impossible.
    """
    from bench.grid.spec import load_spec as read

    return read(Path(path))


def run(
    spec: Spec,
    output: str | Path,
    base: str | Path | None = None,
    quiet: bool = False,
    keep_going: bool = False,
    json_logs: bool = False,
) -> Path:
    """Run a benchmark and write its tables to the folder `output`; see `bench.run.runner.run`."""
    from bench.run.runner import run as drive

    return drive(spec, Path(output), Path(base) if base is not None else None, quiet, keep_going, json_logs)


def load(path: str | Path) -> RunFolder:
    """Open the tables of a finished run; see `bench.results.folder.RunFolder`."""
    from bench.results.folder import open_run

    return open_run(Path(path))
