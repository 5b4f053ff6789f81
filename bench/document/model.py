"""A report as data: a title, sections and blocks, which the writers lay out for a terminal, Markdown or HTML.

Every string is plain text. The writers escape it, each in its own way, so no builder of a document has to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Tone(Enum):
    """What a text means; each writer shows it in its own way, and never by colour alone."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    BEST = "best"
    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    TIED = "tied"
    FAST = "fast"
    NOTABLE = "notable"


@dataclass(frozen=True)
class Span:
    """A text with its tone.

    Attributes:
        text: The text.
        mark: A character before it that says what it is without colour.
        tone: What it means.
        note: The mark in words, for readers who hover or cannot see it.
        near: How good it is in its table, in percent (100: the best): the shade of a heat map; None: no shade.
    """

    text: str
    mark: str = ""
    tone: Tone = Tone.PLAIN
    note: str = ""
    near: int | None = None


Entry = str | Span
Row = tuple[Entry, ...]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Paragraph:
    """A text of its own."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Callout:
    """A caveat that a reader must not miss."""

    text: str


@dataclass(frozen=True)
class Item:
    """One entry of a list: a mark, a title and a text, of which only the text is always there."""

    text: str
    title: str = ""
    mark: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Facts:
    """Values by name."""

    pairs: Pairs


@dataclass(frozen=True)
class Legend:
    """What the marks of the next block mean."""

    entries: tuple[Span, ...]


@dataclass(frozen=True)
class Table:
    """A table; right: the columns of numbers, which are aligned right."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A matrix of numbers.

    Attributes:
        title: What sets it apart from the other matrices beside it.
        corner: Above the names of the rows.
        columns: Names of the columns.
        rows: Each a name and a number per column.
        footer: A row that is no part of the matrix.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Span, ...]], ...]
    footer: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Grids:
    """Matrices of one kind, which a narrow terminal may transpose or cut, all of them alike."""

    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class Card:
    """Everything about one thing: groups of values by name, which a wide terminal puts side by side."""

    title: str
    mark: str
    groups: tuple[Pairs, ...]
    below: Pairs = ()


@dataclass(frozen=True)
class Dot:
    """A point of a plot: x, y (lower is better, drawn higher), its character and tone."""

    x: float
    y: float
    glyph: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class TextPlot:
    """A scatter plot in characters, for the terminal alone: the tables have its numbers.

    Attributes:
        title: What the y axis is.
        x_unit: Unit of the x axis.
        dots: The points, later ones on top.
        show: Writes a y value.
        legend: What the characters mean.
    """

    title: str
    x_unit: str
    dots: tuple[Dot, ...]
    show: Callable[[float], str]
    legend: Legend


Block = Paragraph | Callout | Bullets | Facts | Legend | Table | Grids | Card | TextPlot


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, with a note on what they are."""

    title: str
    blocks: tuple[Block, ...]
    note: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report; tone: GOOD, BAD or WARNING where the title is a verdict."""

    title: str
    parts: tuple[Section | Block, ...]
    tone: Tone = Tone.STRONG
