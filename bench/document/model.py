"""A report as data: a title, sections and blocks, which the writers lay out for a terminal, Markdown or HTML.

Every string is plain text. Each writer escapes it for its format, so the code that builds a document does not have to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Tone(Enum):
    """The meaning of a text; each writer shows it in its own way, and never by colour alone."""

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
        mark: A character before the text that carries the meaning without colour.
        tone: The meaning.
        note: The mark in words, shown on hover and read by screen readers.
        near: Quality relative to the best of the table, in percent (100: the best), the shade of a heat map; None: no shade.
        outlined: True if a page draws an outline around it.
    """

    text: str
    mark: str = ""
    tone: Tone = Tone.PLAIN
    note: str = ""
    near: int | None = None
    outlined: bool = False


Entry = str | Span
Row = tuple[Entry, ...]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Callout:
    """A caveat that a reader must not miss."""

    text: str


@dataclass(frozen=True)
class Item:
    """One entry of a list: a text, with an optional mark and title."""

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
    """The meaning of the marks in the next block."""

    entries: tuple[Span, ...]


@dataclass(frozen=True)
class Table:
    """A table; right: indices of the columns that are aligned right, the numbers."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A matrix of numbers.

    Attributes:
        title: What distinguishes it from the other matrices.
        corner: Header above the row names.
        columns: Names of the columns.
        rows: For each row a name and one number per column.
        footer: A row that is not part of the matrix.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Span, ...]], ...]
    footer: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Grids:
    """Matrices of one kind; a narrow terminal may transpose or split them, all in the same way."""

    grids: tuple[Grid, ...]


@dataclass(frozen=True)
class Card:
    """All facts about one item: groups of named values, which a wide terminal puts side by side."""

    title: str
    mark: str
    groups: tuple[Pairs, ...]
    below: Pairs = ()


@dataclass(frozen=True)
class Dot:
    """A point of a plot: x, y (lower is better and is drawn higher), character and tone."""

    x: float
    y: float
    glyph: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class TextPlot:
    """A scatter plot in characters, for the terminal only; the tables have its numbers.

    Attributes:
        title: Label of the y axis.
        x_unit: Unit of the x axis.
        dots: The points; later ones are drawn on top.
        show: Formats a y value.
        legend: Meaning of the characters.
    """

    title: str
    x_unit: str
    dots: tuple[Dot, ...]
    show: Callable[[float], str]
    legend: Legend


Block = Paragraph | Callout | Bullets | Facts | Legend | Table | Grids | Card | TextPlot


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, with an explanatory note."""

    title: str
    blocks: tuple[Block, ...]
    note: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report; tone: GOOD, BAD or WARNING if the title is a verdict."""

    title: str
    parts: tuple[Section | Block, ...]
    tone: Tone = Tone.STRONG
