"""The terminal writer: readable at 80 columns, without colour, and in ASCII if the terminal supports nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from bench.document.model import (
    Block,
    Bullets,
    Callout,
    Card,
    Document,
    Entry,
    Facts,
    Grid,
    Grids,
    Item,
    Legend,
    Pairs,
    Paragraph,
    Section,
    Table,
    TextPlot,
    Tone,
)
from bench.document.scatter import scatter
from bench.document.text import clean, to_ascii

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STYLES = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.QUIET: "dim",
    Tone.BEST: "bold green",
    Tone.GOOD: "green",
    Tone.BAD: "bold red",
    Tone.WARNING: "bold yellow",
    Tone.TIED: "bold blue",
    Tone.FAST: "bold cyan",
    Tone.NOTABLE: "bold magenta",
}
INDENT, BETWEEN, PANEL_BORDER = 2, 3, 4
PLOT_WIDTH, PLOT_HEIGHT, LEAST_PLOT_WIDTH = 76, 9, 50
LEAST_TEXT_WIDTH = 8  # of a column of text next to numbers that do not wrap


@dataclass(frozen=True)
class Ink:
    """Conversion of plain strings to rich Text: markup in them is never interpreted, and ASCII is used where needed."""

    unicode: bool

    def __call__(self, text: str, tone: Tone = Tone.PLAIN) -> Text:
        """Safe text with one tone."""
        plain = clean(text)
        return Text(plain if self.unicode else to_ascii(plain), STYLES[tone])

    def entry(self, entry: Entry) -> Text:
        """A text with its mark and tone."""
        return self(entry) if isinstance(entry, str) else self(f"{entry.mark}{entry.text}", entry.tone)


def render_terminal(document: Document, console: Console) -> None:
    """Print a document; colour, width and character set are the console's."""
    ink, width = Ink(unicode=not console.options.ascii_only), console.width - INDENT
    title = ink(document.title, Tone.BEST if document.tone == Tone.GOOD else document.tone)
    fits = title.cell_len + 4 <= console.width
    console.print(Rule(title, align="left", style="dim") if fits else title)
    for part in document.parts:
        content = _section(part, ink, width) if isinstance(part, Section) else _block(part, ink, width)
        console.print(Padding(content, (1, 0, 0, INDENT)))


def _section(section: Section, ink: Ink, width: int) -> RenderableType:
    parts: list[RenderableType] = [ink(section.title, Tone.STRONG)]
    if section.note:
        parts.append(ink(section.note, Tone.QUIET))
    before: Block | None = None
    for block in section.blocks:
        if before is not None and not isinstance(before, Paragraph | Legend):
            parts.append("")
        parts.append(_block(block, ink, width))
        before = block
    return Group(*parts)


def _block(block: Block, ink: Ink, width: int) -> RenderableType:
    match block:
        case Paragraph():
            return ink(block.text, block.tone)
        case Callout():
            return _marked([(ink("⚠", Tone.WARNING), ink(block.text))])
        case Bullets():
            return _bullets(block, ink)
        case Facts():
            return _pairs(block.pairs, ink, gap=2)
        case Legend():
            return _legend(block, ink)
        case Table():
            return _table(block, ink, width)
        case Grids():
            return _grids(block.grids, ink, width)
        case Card():
            return _card(block, ink, width)
        case TextPlot():
            return _plot(block, ink, width)


def _bullets(block: Bullets, ink: Ink) -> RenderableType:
    """The items, next to their marks if any item has one."""
    if not any(item.mark for item in block.items):
        return Group(*(_item(item, ink) for item in block.items))
    return _marked([(ink(item.mark, item.tone), _item(item, ink)) for item in block.items])


def _item(item: Item, ink: Ink) -> Text:
    return Text.assemble(ink(item.title, Tone.STRONG), ": ", ink(item.text)) if item.title else ink(item.text)


def _marked(rows: list[tuple[Text, Text]]) -> RichTable:
    """Rows of a mark and a text that wraps next to it."""
    grid = RichTable.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for mark, text in rows:
        grid.add_row(mark, text)
    return grid


def _pairs(pairs: Pairs, ink: Ink, gap: int = 1) -> RichTable:
    grid = RichTable.grid(padding=(0, gap))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(ink(name, Tone.QUIET), ink(value))
    return grid


def _legend(legend: Legend, ink: Ink) -> Text:
    texts = []
    for span in legend.entries:
        mark: list[Text | str] = [ink(span.mark, span.tone), " "] if span.mark else []
        texts.append(Text.assemble(*mark, ink(span.text, Tone.QUIET)))
    return Text("   ").join(texts)


def _table(block: Table, ink: Ink, width: int) -> RichTable:
    header = [ink(title, Tone.STRONG) for title in block.header]
    rows = [[ink.entry(entry) for entry in row] for row in block.rows]
    numbers = sum(1 + max(text.cell_len for text in (header[i], *(row[i] for row in rows))) for i in block.right)
    fits = numbers + (1 + LEAST_TEXT_WIDTH) * (len(header) - len(block.right)) <= width
    table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for i, title in enumerate(header):
        right = i in block.right
        table.add_column(title, justify="right" if right else "left", no_wrap=right and fits, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _card(card: Card, ink: Ink, width: int) -> Panel:
    """Groups side by side if all fit, else one below the other."""
    groups = [_pairs(group, ink) for group in card.groups]
    needed = sum(map(_pairs_width, card.groups)) + BETWEEN * (len(groups) - 1) + PANEL_BORDER
    parts: list[RenderableType] = []
    if needed <= width:
        columns = RichTable.grid(padding=(0, BETWEEN, 0, 0))
        columns.add_row(*groups)
        parts.append(columns)
    else:
        for group in groups:
            parts += [group, ""]
        parts.pop()
    if card.below:
        parts += ["", _pairs(card.below, ink)]
    title = ink(f"{card.mark} {card.title}", Tone.BEST)
    return Panel(Group(*parts), title=title, title_align="left", border_style="green", expand=False)


def _pairs_width(pairs: Pairs) -> int:
    return max(len(name) for name, _ in pairs) + 1 + max(len(value) for _, value in pairs)


def _plot(plot: TextPlot, ink: Ink, width: int) -> RenderableType:
    """The plot with its legend; the legend alone if the terminal is too narrow."""
    if width < LEAST_PLOT_WIDTH:
        return _legend(plot.legend, ink)
    lines = scatter(plot, min(width, PLOT_WIDTH), PLOT_HEIGHT)
    drawn = [Text.assemble(*map(ink.entry, spans)) for spans in lines]
    return Group(ink(plot.title, Tone.QUIET), *drawn, _legend(plot.legend, ink))


# --- matrices -------------------------------------------------------------------------------------------------------


def _grids(grids: Sequence[Grid], ink: Ink, width: int) -> Group:
    """The matrices as they are if all fit, else transposed if those all fit, else split into pieces."""
    matrices = [_Matrix.of(grid, ink) for grid in grids]
    transposed = [matrix.transposed() for matrix in matrices]
    if any(matrix.width() > width for matrix in matrices) and all(matrix.width() <= width for matrix in transposed):
        matrices = transposed
    parts: list[RenderableType] = []
    for grid, matrix in zip(grids, matrices, strict=True):
        title = [ink(grid.title, Tone.STRONG)] if grid.title else []
        parts += ["", *title, *(piece.table() for piece in matrix.cut(width))]
    return Group(*parts)


@dataclass(frozen=True)
class _Matrix:
    """A grid as printed."""

    names: list[Text]
    header: list[Text]
    rows: list[list[Text]]

    @staticmethod
    def of(grid: Grid, ink: Ink) -> _Matrix:
        """The rows of a grid, with its footer as the last row."""
        rows = [(ink(name, Tone.STRONG), [ink.entry(entry) for entry in entries]) for name, entries in grid.rows]
        if grid.footer:
            name, texts = grid.footer
            rows.append((ink(name, Tone.QUIET), [ink(text, Tone.QUIET) for text in texts]))
        header = [ink(title, Tone.STRONG) for title in grid.columns]
        return _Matrix([name for name, _ in rows], header, [texts for _, texts in rows])

    def transposed(self) -> _Matrix:
        """The transpose: columns become rows."""
        return _Matrix(self.header, self.names, [list(column) for column in zip(*self.rows, strict=True)])

    def cut(self, width: int) -> Iterator[_Matrix]:
        """Pieces with as many columns as fit, at least one."""
        start = 0
        while start < len(self.header):
            stop = start + 1
            while stop < len(self.header) and self._columns(start, stop + 1).width() <= width:
                stop += 1
            yield self._columns(start, stop)
            start = stop

    def _columns(self, start: int, stop: int) -> _Matrix:
        return _Matrix(self.names, self.header[start:stop], [row[start:stop] for row in self.rows])

    def width(self) -> int:
        """Width of a line in characters."""
        widths = [max(text.cell_len for text in column) for column in zip(self.header, *self.rows, strict=True)]
        return int(max(name.cell_len for name in self.names) + sum(2 + width for width in widths))

    def table(self) -> RichTable:
        """The matrix as a rich table."""
        table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column("", no_wrap=True)
        for title in self.header:
            table.add_column(title, justify="right", no_wrap=True)
        for name, row in zip(self.names, self.rows, strict=True):
            table.add_row(name, *row)
        return table
