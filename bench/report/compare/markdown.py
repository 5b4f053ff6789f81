"""A comparison as GitHub Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.compare import words
from bench.report.compare.view import ComparisonView
from bench.report.markdown import escape


def render_markdown(view: ComparisonView) -> str:
    """Write a comparison; every string passes through `escape`."""
    parts = [
        f"## maskbench: {escape(words.headline(view))}",
        _table(words.RUN_HEADER, words.run_rows(view), text=len(words.RUN_HEADER)),
        "### Scores ± SE",
        _table(words.score_header(view), words.score_rows(view)),
    ]
    for place in range(2, len(view.runs) + 1):
        parts.append(f"### {escape(words.difference_title(view, place))}")
        if rows := words.difference_rows(view, place):
            parts.append(_table(words.DIFFERENCE_HEADER, rows))
    parts.append("\n".join(f"- ⚠ {escape(note)}" for note in (*view.notes, words.CAVEAT)))
    return "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> str:
    """The first `text` columns are text, the others numbers."""
    rule = [":---" if i < text else "---:" for i in range(len(header))]
    lines = [[escape(cell) for cell in header], rule, *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
