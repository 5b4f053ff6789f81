"""The harness: a grid of decoding settings in, FID against speed out.

import bench
spec = bench.load_spec("grid.toml")
run = bench.load(bench.run(spec, "results/mine"))
run.cells.sort_values("score")
run.report("report.html")
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.fid.compare import Comparison
    from bench.gate.outcome import GateOutcome
    from bench.grid.spec import Spec
    from bench.notebook import Run
    from bench.report.compare.view import ComparisonView

    __version__: str

__all__ = ["Spec", "__version__", "compare", "fid", "gate", "load", "load_spec", "run"]


def _require_own_library() -> None:
    """Refuse to run with a `maskgit` other than the one installed with this package."""
    spec = importlib.util.find_spec("maskgit")
    origin = spec.origin if spec is not None else None
    if origin is None or Path(origin).resolve().parents[1] != Path(__file__).resolve().parents[1]:
        raise ImportError(
            f"maskbench needs its own package maskgit, but Python finds {origin or 'none'}; rename that one or start from "
            "another folder (if there is none, install maskbench again)",
            name=__name__,
        )


_require_own_library()


class _Interface(ModuleType):
    """Keeps `bench.run`, `bench.fid` and `bench.gate` functions when the packages of these names are imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in __all__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Interface


def __getattr__(name: str) -> Any:
    """`Spec` and `__version__`, imported on demand."""
    if name == "Spec":
        from bench.grid.spec import Spec

        return Spec
    if name == "__version__":
        from maskgit.version import version

        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_spec(path: str | Path) -> Spec:
    """Read a `grid.toml`.

    Raises:
        InputError: The file cannot be read, or a value is impossible.
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
    replace: bool = False,
    wait: bool = False,
) -> Path:
    """Run a benchmark and write its tables to the folder `output`; see `bench.run.runner.run`."""
    from bench.run.runner import run as drive

    folder = Path(base) if base is not None else None
    return drive(spec, Path(output), folder, quiet, keep_going, json_logs, replace, wait)


def load(path: str | Path) -> Run:
    """Open a finished run: its tables, the best cell, its report; see `bench.notebook.Run`."""
    from bench.notebook import Run
    from bench.results.folder import open_run

    opened = open_run(Path(path))
    return Run(opened.path, opened.record)


def fid(a: str | Path, b: str | Path, *, quiet: bool = True, **options: Any) -> Comparison:
    """Distance of the images A to the reference B, with standard errors; all options: `bench.fid.compare.compare`."""
    from bench.fid.compare import compare as measure

    return measure(Path(a), Path(b), quiet=quiet, **options)


def compare(*runs: str | Path) -> ComparisonView:
    """Compare runs with the first of them, cell by cell, with standard errors of the differences.

    Raises:
        InputError: Fewer than two runs, or a run that cannot be read.
        NotComparableError: The runs measure different things.
    """
    from bench.report.compare.view import build_comparison

    return build_comparison([Path(run) for run in runs])


def gate(run: str | Path, baseline: str | Path, **rules: Any) -> GateOutcome:
    """Gate a run against a baseline; `rules` replace rules of the baseline, by their keys in `[gate]`.

    Raises:
        InputError: Bad input, or no run at one of the paths.
        NotComparableError: The two runs measure different things.
        IncompleteRunError: One of the runs is not finished.
    """
    from bench.gate.command import settle_rules
    from bench.gate.decision import decide
    from bench.results.finished_run import open_evaluated

    candidate, reference = open_evaluated(Path(run)), open_evaluated(Path(baseline))
    return decide(candidate, reference, *settle_rules(reference, rules))
