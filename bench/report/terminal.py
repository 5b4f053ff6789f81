"""The report in a terminal: it reads at 80 columns, without colour, and in ASCII where the terminal has no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bench.document.scatter import Dot, scatter, sparkline
from bench.document.text import clean, percent, significant, to_ascii
from bench.report import lines
from bench.report.view import Grid, View
from bench.results.cells import Cell

MARKS = {"best of the run": "★", "best": "✓", "worst": "✗", "": ""}
STYLES = {"best of the run": "bold green", "best": "green", "worst": "red", "": ""}
HEADLINE_MARKS = {
    "best_quality": ("★", "bold green"),
    "tied": ("≈", "bold blue"),
    "fast_enough": ("▶", "bold cyan"),
    "trade_off": ("◆", "bold magenta"),
}
INDENT, BETWEEN, PANEL_BORDER = 2, 3, 4
PLOT_WIDTH, PLOT_HEIGHT = 76, 9


@dataclass(frozen=True)
class Ink:
    """Turns plain strings into rich Text: no markup is ever read from them, and ASCII is written where need be."""

    unicode: bool

    def __call__(self, text: str, style: str = "") -> Text:
        """Make safe text of one style."""
        return Text(self.plain(text), style)

    def plain(self, text: str) -> str:
        """Take out what could steer the terminal."""
        return clean(text) if self.unicode else to_ascii(clean(text))


def render_terminal(view: View, console: Console) -> None:
    """Print the report; colour, width and character set are the console's."""
    ink = Ink(unicode=not console.options.ascii_only)
    width = console.width - INDENT
    for part in _parts(view, ink, width):
        console.print(part)


def _parts(view: View, ink: Ink, width: int) -> Iterator[RenderableType]:
    best = view.best
    yield Rule(ink(f"maskbench · {view.record.name}", "bold"), align="left", style="dim")
    yield from _head(view, ink)
    if not view.record.complete:
        yield _section(ink("⚠ This run is incomplete; what follows is what there is so far.", "bold yellow"))
    if best is None:
        yield _section(ink("No cell has a score yet.", "bold"))
    else:
        yield _section(_headlines(view, ink))
        yield _section(_best(view, best, ink, width))
    yield _section(_grids(view, ink, width))
    if view.front:
        yield _section(_front(view, ink, width))
    if view.by_checkpoint:
        table = _table(lines.checkpoint_header(view), lines.checkpoint_rows(view), ink, right=(2, 3), last="green")
        yield _section(_noted("By checkpoint", lines.CHECKPOINTS_NOTE, len(view.by_checkpoint), table, ink))
    if view.seeds:
        table = _table(lines.seed_header(view), lines.seed_rows(view), ink, right=(1, 2, 3, 4))
        yield _section(_noted("Over seeds", lines.SEEDS_NOTE, len(view.seeds), table, ink))
    if references := lines.reference_rows(view):
        table = _table(lines.reference_header(view), references, ink, right=(1, 2))
        note = ink(lines.REFERENCES_NOTE, "dim")
        yield _section(_titled(ink("To read the scores against", "bold"), note, table))
    if best and (holes := lines.hole_rows(view, best)):
        yield _section(
            _titled(
                ink("Best cell by size of the hole", "bold"),
                _table(lines.HOLE_HEADER, holes, ink, right=range(6)),
            )
        )
    if influential := lines.influence_rows(view):
        table = _table(lines.INFLUENCE_HEADER, influential, ink, right=(0, 1))
        yield _section(_titled(ink("The most influential images", "bold"), table))
    if view.record.throughput:
        yield _section(_throughput(view, ink))
    yield _section(_caveats(view, ink))


def _section(content: RenderableType) -> Padding:
    return Padding(content, (1, 0, 0, INDENT))


def _titled(title: Text, *content: RenderableType) -> Group:
    return Group(title, *content)


def _noted(title: str, note: str, count: int, table: Table, ink: Ink) -> Group:
    notes = [ink(text, "dim") for text in (note, lines.shown_of(count)) if text]
    return _titled(ink(title, "bold"), *notes, table)


def _head(view: View, ink: Ink) -> Iterator[RenderableType]:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, line in (
        ("machine", lines.environment_line(view)),
        ("data", lines.data_line(view)),
        ("work", lines.work_line(view)),
    ):
        grid.add_row(ink(name, "dim"), ink(line))
    yield Padding(grid, (0, 0, 0, INDENT))


def _headlines(view: View, ink: Ink) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for headline in view.headlines:
        glyph, style = HEADLINE_MARKS[headline.kind]
        grid.add_row(ink(glyph, style), Text.assemble(ink(headline.title, "bold"), ": ", ink(headline.sentence)))
    if tied := lines.tied_line(view):
        grid.add_row("", ink(tied, "dim"))
    if count := len(view.caveats):
        noun = "warning stands" if count == 1 else "warnings stand"
        grid.add_row(
            ink("⚠", "bold yellow"),
            ink(f"{count} {noun} at the end: read before quoting a number.", "yellow"),
        )
    return grid


def _best(view: View, best: Cell, ink: Ink, width: int) -> RenderableType:
    """Numbers and settings side by side where both fit, else one above the other."""
    found, given = lines.best_numbers(view, best), lines.best_settings(best)
    numbers, chosen = _pairs(found, ink, first="bold green"), _pairs(given, ink)
    parts: list[RenderableType] = [numbers, "", chosen]
    if _pairs_width(found) + BETWEEN + _pairs_width(given) + PANEL_BORDER <= width:
        both = Table.grid(padding=(0, BETWEEN, 0, 0))
        both.add_row(chosen, numbers)
        parts = [both]
    masked, confidence = lines.progress(view, best)
    if masked:
        left = f"{significant(masked[0])} → {significant(masked[-1])}"
        sure = f"{percent(confidence[0], 0)} → {percent(confidence[-1], 0)}"
        if ink.unicode:
            left, sure = f"{sparkline(masked)} {left}", f"{sparkline(confidence, 1.0)} {sure}"
        parts += [
            "",
            _pairs([("tokens masked after each step", left), ("confidence at each step", sure)], ink),
        ]
    title = ink("★ best cell", "bold green")
    return Panel(Group(*parts), title=title, title_align="left", border_style="green", expand=False)


def _pairs_width(rows: lines.Rows) -> int:
    return max(len(name) for name, _ in rows) + 1 + max(len(value) for _, value in rows)


def _pairs(rows: lines.Rows, ink: Ink, first: str = "") -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for i, (name, value) in enumerate(rows):
        grid.add_row(ink(name, "dim"), ink(value, first if i == 0 else ""))
    return grid


def _grids(view: View, ink: Ink, width: int) -> RenderableType:
    parts: list[RenderableType] = [
        ink(f"{view.metric.column} by gamma and sweet spot", "bold"),
        Text.assemble(
            ink("lower is better   ", "dim"),
            ink("★ best of the run", STYLES["best of the run"]),
            "   ",
            ink("✓ best of its table", STYLES["best"]),
            "   ",
            ink("✗ worst", STYLES["worst"]),
        ),
    ]
    shown = [_Shown.of(view, grid, ink) for grid in view.grids]
    turned = not all(one.width() <= width for one in shown) and all(one.turned().width() <= width for one in shown)
    for grid, one in zip(view.grids, shown, strict=True):
        tables = [one.turned()] if turned else one.cut(width)
        parts += ["", ink(lines.grid_title(view, grid), "cyan"), *(table.table() for table in tables)]
    return Group(*parts)


@dataclass(frozen=True)
class _Shown:
    """A gamma × sweet-spot table as printed: gamma down and sweet spots across, turned round, or cut."""

    names: list[Text]
    header: list[Text]
    rows: list[list[Text]]

    @staticmethod
    def of(view: View, grid: Grid, ink: Ink) -> _Shown:
        names = [ink(gamma, "bold") for gamma in grid.gammas]
        rows = [[_score(view, grid, score, ink) for score in row] for row in grid.scores]
        if any(grid.images_per_s):
            names.append(ink("images/s", "dim"))
            rows.append([ink(significant(speed), "dim") for speed in grid.images_per_s])
        return _Shown(names, [ink(f"s {spot}", "bold") for spot in grid.sweet_spots], rows)

    def turned(self) -> _Shown:
        """Sweet spots down, gammas across."""
        return _Shown(self.header, self.names, [list(column) for column in zip(*self.rows, strict=True)])

    def cut(self, width: int) -> Iterator[_Shown]:
        """Pieces of as many columns as fit, at least one."""
        start = 0
        while start < len(self.header):
            stop = start + 1
            while stop < len(self.header) and self._columns(start, stop + 1).width() <= width:
                stop += 1
            yield self._columns(start, stop)
            start = stop

    def _columns(self, start: int, stop: int) -> _Shown:
        return _Shown(self.names, self.header[start:stop], [row[start:stop] for row in self.rows])

    def width(self) -> int:
        """Characters of a line."""
        columns = zip(self.header, *self.rows, strict=True)
        return max(n.cell_len for n in self.names) + sum(2 + max(t.cell_len for t in column) for column in columns)

    def table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column("", no_wrap=True)
        for title in self.header:
            table.add_column(title, justify="right", no_wrap=True)
        for name, row in zip(self.names, self.rows, strict=True):
            table.add_row(name, *row)
        return table


def _score(view: View, grid: Grid, score: float | None, ink: Ink) -> Text:
    role = lines.mark(view, grid, score)
    return ink(
        "·" if score is None else f"{MARKS[role]}{view.metric.show(score)}",
        STYLES[role] if score is not None else "dim",
    )


def _front(view: View, ink: Ink, width: int) -> RenderableType:
    title = Text.assemble(
        ink("Quality against speed", "bold"),
        ink("   the Pareto front: nothing is both better and faster", "dim"),
    )
    rows = lines.front_rows(view)
    table = _table(lines.front_header(view), rows, ink, right=(0, 1, 2), last="green")
    if len(view.front) < 2 or width < 50:
        return _titled(title, table)
    plot = scatter(_dots(view, ink), min(width, PLOT_WIDTH), PLOT_HEIGHT, view.metric.show, unicode=ink.unicode)
    legend = Text()
    for headline in view.headlines:
        glyph, style = HEADLINE_MARKS[headline.kind]
        legend.append_text(ink(glyph, style)).append_text(ink(f" {lines.ROLES[headline.kind]}   ", "dim"))
    legend.append_text(ink("●", "green")).append_text(ink(" front   · beaten", "dim"))
    drawn = [Text.assemble(*line) for line in plot]
    return _titled(title, ink(f"{view.metric.column}, better upwards", "dim"), *drawn, legend, "", table)


def _dots(view: View, ink: Ink) -> list[Dot]:
    """Every cell with a score and a speed; those of the front, then those of the headlines, drawn on top."""
    front = {cell_id for point in view.front for cell_id in (point.cell_id, *point.equal)}
    named = {headline.cell_id: HEADLINE_MARKS[headline.kind] for headline in reversed(view.headlines)}
    dots = []
    for cell in sorted(view.cells, key=lambda c: (c.cell_id in front) + (c.cell_id in named)):
        if cell.score is not None and cell.images_per_s:
            glyph, style = named.get(cell.cell_id, ("●", "green") if cell.cell_id in front else ("·", "dim"))
            dots.append(Dot(cell.images_per_s, cell.score, ink.plain(glyph), style))
    return dots


def _table(header: Sequence[str], rows: lines.Rows, ink: Ink, right: Sequence[int] = (), last: str = "") -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for i, title in enumerate(header):
        table.add_column(ink(title, "bold"), justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(ink(text, last if i == len(row) - 1 else "") for i, text in enumerate(row)))
    return table


def _throughput(view: View, ink: Ink) -> RenderableType:
    parts: list[RenderableType] = [_table(lines.COST_HEADER, lines.cost_rows(view), ink, right=(1, 2, 3))]
    if checks := lines.check_rows(view):
        parts += ["", _table(lines.CHECK_HEADER, checks, ink, right=(1, 2, 3))]
    return _titled(ink("Throughput", "bold"), ink(lines.speed_note(view), "dim"), *parts)


def _caveats(view: View, ink: Ink) -> RenderableType:
    if not view.caveats:
        return ink("✓ No warnings.", "green")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for caveat in view.caveats:
        grid.add_row(ink("⚠", "bold yellow"), ink(caveat.text))
    return _titled(ink("What to distrust", "bold yellow"), grid)
