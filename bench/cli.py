"""The command line: reads arguments, calls the library, turns errors into exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bench.completion import cell_ids, extractors
from bench.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, EXIT_REGRESSION, exit_code
from maskgit.errors import InputError, MaskgitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report.picture import Picture
    from bench.spec import Spec

EXAMPLES = """
[bold]Examples[/bold]

  maskbench run benchmark.toml                        the built-in default, offline\n
  maskbench plan grid.toml                            what a grid would cost\n
  maskbench run grid.toml --output results/mine       run it; the same command resumes it\n
  maskbench report results/mine --format markdown     tables for a pull request\n
  maskbench export results/mine --cell ID pictures    the images of a cell\n
  maskbench fid pictures test_gt.csv --paired         FID and KID of any two sets, with their errors\n
  maskbench audit test_gt.csv --train train           is the test set clean?\n
  maskbench compare results/old results/new           side by side, differences with their intervals\n
  maskbench gate results/new --baseline results/old   exit code 1 if it is worse\n
  maskbench --install-completion                      complete commands, options and cell ids in this shell
"""


JSON_LOGS = "json_logs"  # in the context of a command whose errors are JSON lines too


class MaskbenchGroup(TyperGroup):
    """Ends every command: a user's mistake is one line on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except MaskgitError as error:
            from bench.report.text import clean  # a path or a name in it may hold what would steer a terminal

            _leave(ctx, " ".join(clean(error).split()), exit_code(error))
        except KeyboardInterrupt:
            _leave(ctx, "interrupted; finished work is kept, the same command goes on from there", EXIT_INTERRUPTED)


def _leave(ctx: Any, message: str, code: int) -> None:
    """End with one line on stderr: plain, or JSON among JSON logs."""
    if ctx.meta.get(JSON_LOGS):
        print(json.dumps({"event": "error", "message": message, "exit_code": code}), file=sys.stderr)
    else:
        print(f"maskbench: {message}", file=sys.stderr)
    sys.exit(code)


app = typer.Typer(
    cls=MaskbenchGroup,
    help="Which decoding settings make a MaskGIT inpaint best, and how fast?" + "\n\n" + EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train a tokenizer, then a transformer on it.", no_args_is_help=True)
data_app = typer.Typer(help="Write the built-in data set or masks to a folder.", no_args_is_help=True)
baseline_app = typer.Typer(help="Keep what a gate needs of a run.", no_args_is_help=True)
app.add_typer(train_app, name="train")
app.add_typer(data_app, name="data")
app.add_typer(baseline_app, name="baseline")

GridFile = Annotated[Path, typer.Argument(metavar="GRID.toml", help="What to run.", show_default=False)]
RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The --output folder of a run.", show_default=False)
]
Device = Annotated[str | None, typer.Option(help='"cpu", "cuda", "cuda:1" or "auto".', show_default=False)]
Limit = Annotated[int | None, typer.Option(help="Use only the first N test images.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
AllowUnverified = Annotated[
    bool, typer.Option("--allow-unverified-weights", help="Take extractor weights of an unknown sha256.")
]
Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The recipe.", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
TrainOutput = Annotated[
    Path | None, typer.Option(help="Where to write; the recipe says, if not given.", show_default=False)
]
DataRoot = Annotated[
    Path | None, typer.Option(help="Folder that the recipe's data folders lie in.", show_default=False)
]


@app.command()
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


@app.command()
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

    from bench.environment import resolve_device
    from bench.folder import open_run
    from bench.inputs import open_inputs
    from bench.preview import preview, show
    from bench.spec import with_paths_from
    from bench.store import Store

    written = _spec(grid, limit, device)
    spec = with_paths_from(written, grid.parent)
    folder = output or Path("results") / spec.run.name
    earlier = open_run(folder) if (folder / "run.json").is_file() else None
    store = Store(spec.execution.store or folder / "store")
    content = preview(spec, open_inputs(spec, grid.parent), store, resolve_device(spec.execution.device), earlier)
    if as_json:
        _print_json({**content, "spec": written.model_dump(mode="json")})
    else:
        show(content, Console())


@app.command()
def report(
    run: RunFolderArgument,
    format: Annotated[str, typer.Option(help="rich, markdown, html, json, csv or parquet.")] = "rich",
    output: Annotated[Path | None, typer.Option(help="Write to this file.", show_default=False)] = None,
    table: Annotated[
        str | None,
        typer.Option(help="For csv and parquet: cells (default), pareto, grids or another plot's.", show_default=False),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="For html: leave the pictures out.")] = False,
) -> None:
    """Show a finished run: tables, or a page to open in a browser.

    Example: maskbench report results/mine --format html --output report.html
    """
    from bench.report.formats import report as show

    pictures, note = _report_pictures(run) if format == "html" and not no_images else ((), "")
    show(run, format, output, table, pictures, note)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Run folders; the first is the reference.")],
    format: Annotated[str, typer.Option(help="rich, markdown or json.")] = "rich",
    output: Annotated[Path | None, typer.Option(help="Write to this file.", show_default=False)] = None,
) -> None:
    """Put runs side by side: scores, and their differences from the first run with standard errors.

    Cells are joined on their settings; exit code 3 if test sets, extractors or metrics differ.

    Example: maskbench compare results/epoch-10 results/epoch-20 --format markdown
    """
    from bench.report.compare.command import compare as put_side_by_side

    put_side_by_side(runs, format, output)


@app.command()
def export(
    run: RunFolderArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A new folder.", show_default=False)],
    cell: Annotated[
        str, typer.Option(help="The cell's id, as in cells.parquet.", show_default=False, autocompletion=cell_ids)
    ],
    device: Device = None,
) -> None:
    """Write the images of a cell as image_000.png …, for any other tool.

    Example: maskbench export results/mine pictures --cell cosine-8-4-1a2b3c
    """
    from bench.export import export_cell
    from bench.folder import open_run

    count = export_cell(open_run(run), cell, out, device)
    typer.echo(f"{out}: {count} images")


@app.command()
def show(
    run: RunFolderArgument,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="A cell's id; may be repeated. The best cell, if not given.",
            show_default=False,
            autocompletion=cell_ids,
        ),
    ] = None,
    image: Annotated[
        list[int] | None,
        typer.Option(help="An image's id; may be repeated. Four from easy to hard, if not given.", show_default=False),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, max=64, help="Instead, the first cell's K worst images.", show_default=False),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="What makes them the worst: error (default) or influence.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The folder to write to; RUN/pictures if not given.", show_default=False)
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=16, help="Screen pixels a pixel.")] = 2,
    device: Device = None,
) -> None:
    """Draw how images were decoded: the steps of each cell, and several cells side by side.

    Example: maskbench show results/mine --cell cosine-8-8-1a2b3c --cell linear-8-4-4d5e6f --worst 4 --by influence
    """
    from bench.folder import open_run
    from bench.show import show_run

    files = show_run(
        open_run(run),
        cells=cell or (),
        images=image or (),
        worst=worst,
        by=by,
        output=output,
        scale=scale,
        device=device,
    )
    for path in files:
        typer.echo(path)


@app.command()
def fid(
    a: Annotated[Path, typer.Argument(metavar="A", help="The generated images.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The reference.", show_default=False)],
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The extractor; inception if not given.",
            show_default=False,
            autocompletion=extractors,
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="The extractor's weights; torch hub's cache if not given.", show_default=False)
    ] = None,
    allow_unverified_weights: AllowUnverified = False,
    device: Device = None,
    paired: Annotated[
        bool,
        typer.Option("--paired/--disjoint", help="B holds A's originals, matched by number; or independent images."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="pytorch-fid's own order of operations, bit for bit; slower.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither look for kept features nor keep any.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print FID, its standard error, KID and N of two sets of images.

    Each is a folder, a CSV with one row an image, a Parquet file of features (column feature), or pytorch-fid's .npz.

    Example: maskbench fid pictures test_gt.csv --paired --json
    """
    from platformdirs import user_cache_path

    from bench.fid import compare
    from bench.report.comparison import as_json as to_json
    from bench.report.comparison import as_line
    from bench.report.text import clean

    found = compare(
        a,
        b,
        features=features,
        weights=weights,
        allow_unverified=allow_unverified_weights,
        device=device or "auto",
        paired=paired,
        strict=strict,
        cache=None if no_cache else user_cache_path("maskbench", appauthor=False),
        quiet=quiet,
    )
    for note in () if quiet else found.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    if as_json:
        _print_json(to_json(found))
    else:
        typer.echo(as_line(found))


@app.command()
def audit(
    test: Annotated[
        Path, typer.Argument(metavar="TEST", help="A folder of pictures, or the lab's CSV.", show_default=False)
    ],
    train: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A training folder; may be repeated.", show_default=False)
    ] = None,
    exact_only: Annotated[
        bool, typer.Option("--exact-only", help="Skip the search for near-copies; it takes most of the time.")
    ] = False,
    everything: Annotated[bool, typer.Option("--list", help="Name every finding, not the first of each kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """Is the test set clean? Find copies and near-copies within it, and between it and training folders.

    A report: it ends with exit code 0 whatever it finds.

    Example: maskbench audit test_gt.csv --train train --train val
    """
    from rich.console import Console

    from bench.audit import TEST_IMAGE
    from bench.audit import audit as look
    from bench.progress import Reporter
    from bench.report.audit import as_json as to_json
    from bench.report.audit import show
    from maskgit.data.folders import listed
    from maskgit.data.pictures import read_ground_truth

    folders = train or []
    pictures = sum(len(listed(folder)) for folder in folders)
    names, images = read_ground_truth(test)
    with Reporter(pictures + TEST_IMAGE * len(images), stage="audit") as progress:
        found = look(images, folders, near=not exact_only, progress=progress.advance)
    content = to_json(found, str(test), names)
    if as_json:
        _print_json(content)
    else:
        show(content, Console(), everything)


@app.command()
def gate(
    run: RunFolderArgument,
    baseline: Annotated[
        Path, typer.Option(help="What to measure against: a run folder or a saved baseline.", show_default=False)
    ],
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="Gate this cell of the baseline only; may be repeated.", show_default=False, autocompletion=cell_ids
        ),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Chance of a false alarm in any cell.", show_default=False)
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Rise that is let pass, as a share of the score.", show_default=False)
    ] = None,
    max_score: Annotated[float | None, typer.Option(help="Highest score that passes.", show_default=False)] = None,
    min_throughput_ratio: Annotated[
        float | None, typer.Option(help="Least speed that passes, over the baseline's.", show_default=False)
    ] = None,
    suspicious: Annotated[
        float | None, typer.Option(help="Fall that is flagged, as a share of the score.", show_default=False)
    ] = None,
    inconclusive: Annotated[
        str | None, typer.Option(help="What inconclusive cells do: pass or fail.", show_default=False)
    ] = None,
    permutations: Annotated[int | None, typer.Option(help="Random swaps a cell.", show_default=False)] = None,
    format: Annotated[str, typer.Option(help="rich, markdown or json.")] = "rich",
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.", show_default=False)] = None,
    github: Annotated[bool, typer.Option("--github", help="Annotate, and add to $GITHUB_STEP_SUMMARY.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a run is worse than a baseline, cell by cell, beyond chance and beyond tolerance.

    Exit code 0: passed. 1: worse. 2: bad input. 3: not comparable, or no baseline. 4: not finished.
    The rules are those the baseline's run was given (section gate of its TOML); options replace them.

    Example: maskbench gate results/new --baseline results/baseline --junit gate.xml --github
    """
    from bench.gate.command import Reports
    from bench.gate.command import gate as decide

    given = {
        "cells": cell, "alpha": alpha, "tolerance": tolerance, "max_score": max_score,
        "min_throughput_ratio": min_throughput_ratio, "suspicious": suspicious, "inconclusive": inconclusive,
        "permutations": permutations,
    }  # fmt: skip
    overrides = {key: value for key, value in given.items() if value is not None}
    outcome = decide(run, baseline, overrides, Reports("json" if as_json else format, junit, github))
    raise typer.Exit(EXIT_REGRESSION if outcome.failed else EXIT_OK)


@baseline_app.command("save")
def baseline_save(
    run: RunFolderArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an earlier baseline to replace.")],
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="Keep this cell; may be repeated. All, if not given.", show_default=False, autocompletion=cell_ids
        ),
    ] = None,
) -> None:
    """Write what a gate needs of a run's cells into a small folder, to commit beside the code.

    Example: maskbench baseline save results/mine results/baseline --cell cosine-8-8-1a2b3c
    """
    from bench.gate.baseline import save_baseline

    saved = save_baseline(run, folder, cell or ())
    typer.echo(f"{folder}: {saved.cells} cells, {saved.size_bytes / 1e6:.2f} MB")


@app.command("import")
def import_(
    lab_folder: Annotated[Path, typer.Argument(metavar="LAB_FOLDER", help="A checkpoint in the lab layout.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
) -> None:
    """Turn a checkpoint of the lab layout into safetensors and JSON.

    Example: maskbench import my_model/ checkpoints/mine
    """
    from maskgit.checkpoints import import_checkpoint

    import_checkpoint(lab_folder, out)
    typer.echo(f"{out}: imported")


@train_app.command("tokenizer")
def train_tokenizer(
    config: Config, resume: Resume = False, output: TrainOutput = None, data_root: DataRoot = None
) -> None:
    """Stage 1: train a VQGAN.

    Example: maskbench train tokenizer recipe.toml --data-root ~/pictures --output checkpoints/tokenizer
    """
    from maskgit.training.tokenizer_stage import train_tokenizer as train

    train(config, resume=resume, output=output, data_root=data_root)


@train_app.command("transformer")
def train_transformer(
    config: Config, resume: Resume = False, output: TrainOutput = None, data_root: DataRoot = None
) -> None:
    """Stage 2: train a transformer by masked token modelling.

    Example: maskbench train transformer recipe.toml --resume
    """
    from maskgit.training.transformer_stage import train_transformer as train

    train(config, resume=resume, output=output, data_root=data_root)


@data_app.command("catfaces")
def data_catfaces(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="How many faces.")] = 256,
) -> None:
    """Write the built-in test set in the lab layout: masked images, masks, ground truth as folder and CSV.

    Example: maskbench data catfaces faces --count 100
    """
    from maskgit.data.export import write_dataset
    from maskgit.data.testset import catfaces_test_set

    write_dataset(catfaces_test_set(count), out)
    typer.echo(f"{out}: {count} faces")


@data_app.command("masks")
def data_masks(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="How many masks.")] = 256,
    size: Annotated[int, typer.Option(min=8, help="Side in pixels.")] = 64,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Smallest share of the hole.")] = 0.10,
    most: Annotated[float, typer.Option(min=0.0, max=1.0, help="Greatest share of the hole.")] = 0.30,
) -> None:
    """Write random-walk masks (0 = hole, 255 = known).

    Example: maskbench data masks masks --count 500 --least 0.2 --most 0.4
    """
    from maskgit.data.export import write_masks

    if not 0 < least <= most < 1:
        raise InputError(f"--least {least} --most {most}: give 0 < least ≤ most < 1")
    write_masks(out, count, size, (least, most))
    typer.echo(f"{out}: {count} masks")


@app.command()
def doctor() -> None:
    """Check the installation: versions, device, bundled weights, extractors."""
    from rich.console import Console

    from bench.doctor import examine

    if not examine(Console()):
        raise typer.Exit(2)


def _spec(grid: Path, limit: int | None, device: str | None, unverified: bool = False) -> Spec:
    """The spec of a file with what the command line overrides."""
    from bench.spec import load_spec

    overrides: dict[str, dict[str, Any]] = {}
    if limit is not None:
        overrides["data"] = {"limit": limit}
    if device is not None:
        overrides["execution"] = {"device": device}
    if unverified:
        overrides["metrics"] = {"allow_unverified_weights": True}
    return load_spec(grid, overrides)


def _report_pictures(run: Path) -> tuple[Sequence[Picture], str]:
    """Pictures for a report; where a run's data or models are no longer at hand, none, and the reason."""
    from bench.folder import open_run
    from bench.show import report_pictures

    opened = open_run(run)
    try:
        return report_pictures(opened), ""
    except InputError as error:
        return (), str(error)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2))


if __name__ == "__main__":
    app()
