"""A gate as GitHub Markdown: a pull request's comment, or a step's summary."""

from __future__ import annotations

from bench.gate import words
from bench.gate.outcome import GateOutcome, Refusal
from bench.report.markdown import escape


def render_markdown(outcome: GateOutcome) -> str:
    """Write a gate; every string passes through `escape`."""
    parts = [
        f"## {'❌' if outcome.failed else '✅'} {escape(words.headline(outcome))}",
        _table(outcome),
    ]
    if remarks := words.remarkable(outcome):
        parts.append(
            "\n".join(
                f"- {words.MARKS[cell.verdict]} **{escape(cell.name)}**: {escape(words.summary(cell))}"
                for cell in remarks
            )
        )
    parts.append("\n".join(f"- {escape(name)}: {escape(text)}" for name, text in words.facts(outcome)))
    parts.append(f"> ⚠ {escape(words.CAVEAT)}")
    return "\n\n".join(parts) + "\n"


def _table(outcome: GateOutcome) -> str:
    rule = [":---", ":---", *["---:"] * (len(words.HEADER) - 2)]
    body = [[escape(text) for text in words.row(cell)] for cell in outcome.cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in [words.HEADER, rule, *body])


def render_refusal(refusal: Refusal) -> str:
    """Write why there was no decision."""
    return f"## ⛔ Gate refused\n\n{escape(refusal.reason)}\n"
