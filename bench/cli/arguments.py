"""Arguments and output shared by several commands."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.grid.spec import Spec

GridFile = Annotated[Path, typer.Argument(metavar="GRID.toml", help="The grid to run.", show_default=False)]
RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The --output folder of a run.", show_default=False)
]
OptionalRun = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RUN]", help="The --output folder of a run; by default the latest in results/.", show_default=False
    ),
]
CELL_HELP = "best, fastest, an id or its start, or settings: gamma=cosine,T=8,s=4"
Device = Annotated[str | None, typer.Option(help='"cpu", "cuda", "cuda:1" or "auto".', show_default=False)]
Limit = Annotated[int | None, typer.Option(help="Use only the first N test images.", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override a value of the TOML, for example grid.total_iter=[8,12]; may be repeated.",
        show_default=False,
    ),
]
Executor = Annotated[str | None, typer.Option(help='"local", "ray" or "shared" (docs/cluster.md).', show_default=False)]
Workers = Annotated[int | None, typer.Option(help="Workers of the executor ray.", show_default=False)]


class TextFormat(StrEnum):
    """Formats of every report."""

    RICH = "rich"
    MARKDOWN = "markdown"
    JSON = "json"


class ReportFormat(StrEnum):
    """Formats of `maskbench report`."""

    RICH = "rich"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


Format = Annotated[TextFormat, typer.Option(help="How to print the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to standard output; the same as --format json.")]
AllowUnverified = Annotated[
    bool, typer.Option("--allow-unverified-weights", help="Accept extractor weights with an unknown sha256.")
]


def run_or_latest(run: Path | None) -> Path:
    """The given run folder, or the latest one, whose name is then printed to standard error.

    Raises:
        InputError: None is given and there is none.
    """
    from bench.results.latest import latest_run

    if run is not None:
        return run
    latest = latest_run()
    typer.echo(f"run: {latest}", err=True)
    return latest


def print_json(content: Any) -> None:
    """Write JSON to standard output."""
    typer.echo(json.dumps(content, indent=2))


def read_spec(
    grid: Path,
    given: list[str] | None,
    limit: int | None,
    device: str | None,
    unverified: bool = False,
    executor: str | None = None,
    workers: int | None = None,
) -> Spec:
    """The spec of a file, with the overrides of the command line; `given` holds the values of --set."""
    from bench.grid.spec import Override, load_spec, parse_override

    overrides = [parse_override(text) for text in given or ()]
    if limit is not None:
        overrides.append(Override(("data", "limit"), limit, "--limit"))
    if device is not None:
        overrides.append(Override(("execution", "device"), device, "--device"))
    if executor is not None:
        overrides.append(Override(("execution", "executor"), executor, "--executor"))
    if workers is not None:
        overrides.append(Override(("execution", "workers"), workers, "--workers"))
    if unverified:
        overrides.append(Override(("metrics", "allow_unverified_weights"), True, "--allow-unverified-weights"))
    return load_spec(grid, overrides)
