"""Blocks of a document as HTML fragments, and the Jinja environment for pages.

Every string passes through `clean` and through Jinja's autoescaping; only our own markup stays unescaped.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.document.model import Block, Bullets, Callout, Card, Facts, Grids, Legend, Paragraph, Section, Table
from bench.document.text import clean

MACROS: dict[type, str] = {
    Paragraph: "paragraph",
    Callout: "callout",
    Bullets: "bullets",
    Facts: "facts",
    Legend: "legend",
    Table: "table",
    Grids: "grids",
    Card: "card",
}
"""Macros of `templates/blocks.html` by block type; a block without a macro is shown in the terminal only."""


@cache
def environment(package: str) -> Environment:
    """The Jinja environment for a package's templates.

    In a template, `block(b, label)` writes a block (screen readers announce the label), `section(s)` writes a whole
    section, and the filter `code` puts text between backticks into <code>.
    """
    jinja = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    jinja.filters["code"] = code
    jinja.globals.update(block=html_block, section=html_section)
    return jinja


def html_block(block: Block, label: str = "") -> Markup:
    """A block as HTML; empty for a block that only the terminal shows."""
    name = MACROS.get(type(block))
    if name is None:
        return Markup()
    macros = environment("bench.document").get_template("blocks.html").module
    return Markup(getattr(macros, name)(block, label))


def html_section(section: Section, level: int = 3) -> Markup:
    """A section: its heading, its note and its blocks, each labelled by the heading."""
    title = Markup("<h{0}>{1}</h{0}>\n").format(level, clean(section.title))
    note = Markup('<p class="note">{}</p>\n').format(clean(section.note)) if section.note else Markup()
    return title + note + Markup().join(html_block(block, section.title) for block in section.blocks)


def code(text: str) -> Markup:
    """Escaped text, with text between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(clean(text)))))


def _finalize(value: Any) -> Any:
    """Remove terminal control sequences and direction overrides from every string."""
    return value if isinstance(value, Markup) else clean(value)
