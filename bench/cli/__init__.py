"""The command line: all commands by name. Commands read arguments and call the library."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.audit import audit
from bench.cli.compare import compare
from bench.cli.confirm import confirm
from bench.cli.data import data_catfaces, data_masks
from bench.cli.doctor import doctor
from bench.cli.export import export
from bench.cli.fid import fid
from bench.cli.gate import baseline_save, gate
from bench.cli.group import MaskbenchGroup, guarded
from bench.cli.import_ import import_
from bench.cli.init import init
from bench.cli.log import log
from bench.cli.ls import ls
from bench.cli.plan import plan
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.schema import schema
from bench.cli.show import show
from bench.cli.store import store_gc, store_ls
from bench.cli.train import train_tokenizer, train_transformer
from bench.cli.verify import verify
from bench.cli.watch import watch

EXAMPLES = """

[bold]Examples[/bold]

\b
maskbench run benchmark.toml                       the built-in default
maskbench init my_project                          write a grid.toml
maskbench plan grid.toml                           what a grid would cost
maskbench run grid.toml --output results/mine      run it, or resume it
maskbench report results/mine --open               the page, in a browser
maskbench report results/mine --format markdown    for a pull request
maskbench show results/mine --worst 4              images, step by step
maskbench compare results/old results/new          side by side
maskbench gate results/new --baseline results/old  exit code 1 if worse
maskbench export results/mine --cell best images   the images of a cell
maskbench verify results/mine                      is anything damaged?
maskbench fid images test_gt.csv --paired          FID of any two sets
maskbench audit test_gt.csv --train train          is the test set clean?
maskbench --install-completion                     complete in this shell
"""

app = typer.Typer(
    cls=MaskbenchGroup,
    help="Find the decoding settings with which a MaskGIT model inpaints best, and how fast each one is." + EXAMPLES,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train a tokenizer, then a transformer on it.", no_args_is_help=True)
data_app = typer.Typer(help="Write the built-in data set or masks to a folder.", no_args_is_help=True)
baseline_app = typer.Typer(help="Save what a gate needs from a run.", no_args_is_help=True)
app.add_typer(train_app, name="train")
app.add_typer(data_app, name="data")
store_app = typer.Typer(help="Show the stored work of runs, and remove what none of them needs.", no_args_is_help=True)
app.add_typer(baseline_app, name="baseline")
app.add_typer(store_app, name="store")

for command in (init, run, watch, confirm, plan, ls, report, compare, show, log, export, fid, audit, gate, verify):
    app.command()(command)
baseline_app.command("save")(baseline_save)
store_app.command("ls")(store_ls)
store_app.command("gc")(store_gc)
app.command("import")(import_)
train_app.command("tokenizer")(train_tokenizer)
train_app.command("transformer")(train_transformer)
data_app.command("catfaces")(data_catfaces)
data_app.command("masks")(data_masks)
app.command()(schema)
app.command()(doctor)


def _print_version(asked: bool) -> None:
    if asked:
        import bench

        typer.echo(f"maskbench {bench.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """The program `maskbench`."""
    guarded(app)
