"""Hook of mkdocs: links that leave docs/ become plain text, since the site has only docs/; mkdocs checks all others."""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]*)\]\((\.\./[^)\s]*)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace a link to a file of the repository by its text and its path there."""
    return OUTSIDE.sub(lambda link: _as_text(link[1], link[2].removeprefix("../")), markdown)


def _as_text(text: str, path: str) -> str:
    return f"`{path}`" if text.strip("`") == path else f"{text} (`{path}`)"
