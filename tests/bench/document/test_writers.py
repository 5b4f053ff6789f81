"""Writers: every block in every format, no user text interpreted as markup, no line wider than the terminal."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from bench.document.html import MACROS, html_section
from bench.document.markdown import render_markdown
from bench.document.model import (
    Block,
    Bullets,
    Callout,
    Card,
    Document,
    Dot,
    Facts,
    Grid,
    Grids,
    Item,
    Legend,
    Paragraph,
    Section,
    Span,
    Table,
    TextPlot,
    Tone,
)
from bench.document.terminal import STYLES, render_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = (
    "<script>alert(1)</script> [bold red]x[/bold red] [/] a|b \x1b[31mred\x1b]0;title\x07 \u202eevil *b*"
    " `c` @all\r\nnext"
)
CONTROL = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]"


def every_block(word: Callable[[str], str]) -> tuple[Block, ...]:
    """A document with one block of each kind; `word` makes each text from a name."""
    grid = Grid(
        title=word("grid-title"),
        corner=word("corner"),
        columns=(word("column-1"), word("column-2")),
        rows=((word("row-name"), (Span(word("entry"), "★", Tone.BEST, near=100), Span("2.5"))),),
        footer=(word("foot-name"), ("7.5", word("foot-entry"))),
    )
    legend = Legend((Span(word("legend"), "★", Tone.BEST),))
    return (
        Paragraph(word("paragraph"), Tone.QUIET),
        Callout(word("callout")),
        Bullets((Item(word("item"), word("item-title"), "✓", Tone.GOOD), Item(word("bare-item")))),
        Facts(((word("fact"), word("value")),)),
        legend,
        Table((word("header"), "n"), ((word("cell"), "1"), (Span(word("span"), tone=Tone.BAD), "2")), (1,)),
        Grids((grid,)),
        Card(word("card"), "★", (((word("card-name"), word("card-value")),),), ((word("below"), "1"),)),
        TextPlot(word("plot"), "images/s", (Dot(1, 2, "o"), Dot(2, 1, "x")), lambda y: f"{y:.1f}", legend),
    )


def document(word: Callable[[str], str]) -> Document:
    return Document(word("document"), (Section(word("section"), every_block(word), word("note")),), Tone.GOOD)


def terminal(content: Document, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    render_terminal(content, Console(file=stream, width=width, force_terminal=colour, legacy_windows=False))
    stream.flush()
    return raw.getvalue().decode(encoding)


def html(content: Document) -> str:
    return "".join(html_section(part) for part in content.parts if isinstance(part, Section))


class Text(HTMLParser):
    """A parsed fragment: balanced tags, and the text."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_writer_writes_every_text() -> None:
    names: list[str] = []

    def word(name: str) -> str:
        names.append(name)
        return name

    content = document(word)
    in_terminal, in_markdown, in_html = terminal(content), render_markdown(content), Text(html(content)).text
    for name in names:
        if name != "corner":  # a terminal leaves the corner of a matrix empty
            assert name in in_terminal
        if name != "plot":  # a plot in characters is for the terminal alone
            assert name in in_markdown
            if name not in ("document", "card"):  # a page has its own title, and a card's name is its region's
                assert name in in_html


def test_every_block_has_its_html_but_the_plot_in_characters() -> None:
    assert {type(block) for block in every_block(str)} == {*MACROS, TextPlot}
    assert set(STYLES) == set(Tone)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_terminal_shows_markup_and_obeys_none(encoding: str) -> None:
    text = terminal(document(lambda name: HOSTILE), width=250, encoding=encoding)
    assert not re.search(CONTROL, text)
    assert "[bold red]x[/bold red] [/]" in text


def test_markdown_stays_text_and_its_tables_keep_their_columns() -> None:
    text = render_markdown(document(lambda name: HOSTILE))
    assert not re.search(CONTROL, text)
    assert "<script" not in text
    assert "@all" not in text
    assert not re.search(r"(?<!\\)`c", text)
    assert not re.search(r"(?<!\\)\*b\*", text)
    columns = None
    for line in text.splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert columns is None or bars in (None, columns), line
        columns = bars


def test_html_stays_text() -> None:
    fragment = html(document(lambda name: HOSTILE))
    page = Text(fragment)
    assert "script" not in page.tags
    assert page.text.count("<script>alert(1)</script>") > 10
    assert not re.search(CONTROL, fragment)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    content = document(lambda name: f"{name} of a run with a rather long name")
    assert max(map(len, terminal(content, width).splitlines())) <= width


def test_a_terminal_without_colour_gets_none() -> None:
    content = document(str)
    assert "\x1b" not in terminal(content)
    assert "\x1b" in terminal(content, colour=True)


def test_a_wide_matrix_is_transposed_where_that_fits_and_else_cut() -> None:
    def printed(columns: int, rows: int) -> str:
        names = tuple(f"c{i:03d}" for i in range(columns))
        numbers = tuple((f"r{j:03d}", tuple(Span(f"{i}.{j:03d}") for i in range(columns))) for j in range(rows))
        return terminal(Document("", (Grids((Grid("", "", names, numbers),)),)), width=60)

    assert re.search(r"c000 +c001", printed(3, 3))
    assert re.search(r"r000 +r001", printed(40, 3))
    for columns in (3, 40):
        text = printed(columns, 40)
        for i in range(columns):
            for j in range(40):
                assert f" {i}.{j:03d}" in text


def test_a_verdict_is_seen_without_colour_in_markdown() -> None:
    marks = {tone: render_markdown(Document("title", (), tone)).split()[1] for tone in (Tone.GOOD, Tone.BAD)}
    assert marks == {Tone.GOOD: "✅", Tone.BAD: "❌"}
