"""The Markdown writer (GitHub flavour, for pull requests): every string passes through `escape`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
    Paragraph,
    Section,
    Table,
    TextPlot,
    Tone,
)
from bench.document.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

VERDICTS = {Tone.GOOD: "✅ ", Tone.BAD: "❌ ", Tone.WARNING: "⛔ "}
BOLD = (Tone.STRONG, Tone.BEST, Tone.GOOD)


def escape(text: str) -> str:
    """Text escaped so that Markdown and HTML show it literally: no tag, table bar, emphasis, link, formula or mention."""
    entities = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]~#$|])", r"\\\1", entities).replace("@", "@&#8203;")


def render_markdown(document: Document) -> str:
    """Write a whole document."""
    blocks = [f"## {VERDICTS.get(document.tone, '')}{escape(document.title)}"]
    for part in document.parts:
        blocks += _section(part) if isinstance(part, Section) else [_block(part)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _section(section: Section) -> list[str]:
    return [f"### {escape(section.title)}", escape(section.note), *map(_block, section.blocks)]


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return escape(block.text)
        case Callout():
            return f"> ⚠ {escape(block.text)}"
        case Bullets():
            return "\n".join(map(_item, block.items))
        case Facts():
            return "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in block.pairs)
        case Legend():
            return " · ".join(escape(f"{span.mark} {span.text}".strip()) for span in block.entries)
        case Table():
            return _table(block.header, [[_entry(entry) for entry in row] for row in block.rows], block.right)
        case Grids():
            return "\n\n".join(map(_grid, block.grids))
        case Card():
            pairs = [pair for group in (*block.groups, block.below) for pair in group]
            rows = [[escape(name), escape(value)] for name, value in pairs]
            return f"### {escape(block.title)}\n\n{_table(('', ''), rows)}"
        case TextPlot():
            return ""


def _item(item: Item) -> str:
    mark = f"{escape(item.mark)} " if item.mark else ""
    title = f"**{escape(item.title)}:** " if item.title else ""
    return f"- {mark}{title}{escape(item.text)}"


def _entry(entry: Entry) -> str:
    """An entry of a table; bold if it has a mark and a good tone."""
    if isinstance(entry, str):
        return escape(entry)
    text = escape(f"{entry.mark} {entry.text}".strip())
    return f"**{text}**" if entry.mark and entry.tone in BOLD else text


def _grid(grid: Grid) -> str:
    rows = [[escape(name), *map(_entry, entries)] for name, entries in grid.rows]
    if grid.footer:
        name, texts = grid.footer
        rows.append([f"*{escape(name)}*", *map(escape, texts)])
    table = _table((grid.corner, *grid.columns), rows, range(1, len(grid.columns) + 1))
    return f"**{escape(grid.title)}**\n\n{table}" if grid.title else table


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; the rows are Markdown already, the header is plain text."""
    rule = ["---:" if i in right else ":---" for i in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[escape(title) for title in header], rule, *rows])
