"""Blocks of a document as HTML fragments, and the Jinja environment that pages are written with.

Every string passes through `clean` and through Jinja's autoescaping; only markup of ours stays as it is.
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
"""The macro of `templates/blocks.html` that writes a block; one that is not here is for the terminal alone."""


@cache
def environment(package: str) -> Environment:
    """The environment of a package's templates.

    In a template, `block(b, label)` writes a block, the label naming its region for readers who cannot see it,
    `section(s)` a whole section, and the filter `code` puts what is between backticks in <code>.
    """
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters["code"] = code
    made.globals.update(block=html_block, section=html_section)
    return made


def html_block(block: Block, label: str = "") -> Markup:
    """A block as HTML; nothing for a block of the terminal alone."""
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
    """Text, escaped, with what is between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(clean(text)))))


def _finalize(value: Any) -> Any:
    """Take out of every string what could steer a terminal or turn the reading direction."""
    return value if isinstance(value, Markup) else clean(value)
