"""A gate in a terminal: the verdict first, then the table, then why and by which rules."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from bench.gate import words
from bench.gate.outcome import FAIL, INCONCLUSIVE, NOTED, PASS, SUSPICIOUS, GateOutcome
from bench.report.terminal import INDENT, Ink

STYLES = {FAIL: "bold red", INCONCLUSIVE: "yellow", SUSPICIOUS: "bold magenta", NOTED: "green", PASS: "green"}
TEXT_COLUMNS = 2  # mark and name; all others are numbers


def render_terminal(outcome: GateOutcome, console: Console) -> None:
    """Print a gate; colour, width and character set are the console's."""
    ink = Ink(unicode=not console.options.ascii_only)
    console.print(ink(words.headline(outcome), "bold red" if outcome.failed else "bold green"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for i, title in enumerate(words.HEADER):
        number = i >= TEXT_COLUMNS
        table.add_column(ink(title, "bold"), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for cell in outcome.cells:
        style = STYLES[cell.verdict]
        table.add_row(*(ink(text, style if i < TEXT_COLUMNS else "") for i, text in enumerate(words.row(cell))))
    console.print(Padding(table, (1, 0, 0, INDENT)))
    if remarks := words.remarkable(outcome):
        grid = _grid()
        for cell in remarks:
            grid.add_row(ink(words.MARKS[cell.verdict], STYLES[cell.verdict]), ink(words.explanation(cell)))
        console.print(Padding(grid, (1, 0, 0, INDENT)))
    grid = _grid()
    for name, text in words.facts(outcome):
        grid.add_row(ink(name, "dim"), ink(text))
    grid.add_row(ink("⚠", "yellow"), ink(words.CAVEAT))
    console.print(Padding(grid, (1, 0, 0, INDENT)))


def _grid() -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid
