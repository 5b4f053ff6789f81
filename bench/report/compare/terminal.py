"""A comparison in a terminal: the runs, their scores side by side, then each run's differences from the first."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from bench.report.compare import words
from bench.report.compare.view import ComparisonView
from bench.report.terminal import INDENT, Ink


def render_terminal(view: ComparisonView, console: Console) -> None:
    """Print a comparison; colour, width and character set are the console's."""
    ink = Ink(unicode=not console.options.ascii_only)
    console.print(ink(words.headline(view), "bold"))
    _print(console, _table(words.RUN_HEADER, words.run_rows(view), ink, text=len(words.RUN_HEADER)))
    console.print(Padding(ink("Scores ± SE", "bold"), (1, 0, 0, INDENT)))
    _print(console, _table(words.score_header(view), words.score_rows(view), ink), above=0)
    for place in range(2, len(view.runs) + 1):
        console.print(Padding(ink(words.difference_title(view, place), "bold"), (1, 0, 0, INDENT)))
        if rows := words.difference_rows(view, place):
            _print(console, _table(words.DIFFERENCE_HEADER, rows, ink), above=0)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for note in (*view.notes, words.CAVEAT):
        grid.add_row(ink("⚠", "yellow"), ink(note))
    _print(console, grid)


def _print(console: Console, table: Table, above: int = 1) -> None:
    console.print(Padding(table, (above, 0, 0, INDENT)))


def _table(header: Sequence[str], rows: words.Rows, ink: Ink, text: int = 1) -> Table:
    """The first `text` columns are text, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for i, title in enumerate(header):
        table.add_column(ink(title, "bold"), justify="left" if i < text else "right", overflow="fold")
    for row in rows:
        table.add_row(*(ink(cell) for cell in row))
    return table
