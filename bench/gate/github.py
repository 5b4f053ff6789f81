"""A gate for GitHub Actions: annotations (workflow commands in the output) and the step's summary.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.text import clean
from bench.gate.document import headline, summary
from bench.gate.outcome import INCONCLUSIVE, SUSPICIOUS, WARN, CellOutcome, GateOutcome, Refusal
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = 9  # GitHub shows ten annotations of a kind per step; the tenth says how many more there are


def workflow_commands(outcome: GateOutcome) -> list[str]:
    """Workflow commands: an error per failing cell, a warning per doubtful one, a notice with the verdict."""
    failing = [cell for cell in outcome.cells if outcome.fails(cell)]
    doubtful = [c for c in outcome.cells if c.verdict in (WARN, INCONCLUSIVE, SUSPICIOUS) and not outcome.fails(c)]
    return [
        *_commands("error", failing),
        *_commands("warning", doubtful),
        command("notice", "maskbench gate", headline(outcome)),
    ]


def refusal_annotation(refusal: Refusal) -> str:
    """The workflow command of a gate that could not decide."""
    return command("error", "maskbench gate refused", refusal.reason)


def command(level: str, title: str, message: str) -> str:
    """A workflow command, with all characters escaped that could end it or start another."""
    data = clean(message).replace("%", "%25")
    value = clean(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={value}::{data}"


def append_summary(path: Path, markdown: str) -> None:
    """Append Markdown to the step's summary, the file named by $GITHUB_STEP_SUMMARY.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(markdown + "\n")
    except OSError as error:
        raise InputError(f"GITHUB_STEP_SUMMARY {path}: cannot be written ({error.strerror}); unset it") from None


def _commands(level: str, cells: list[CellOutcome]) -> list[str]:
    annotations = [command(level, f"maskbench gate: {cell.name}", summary(cell)) for cell in cells[:SHOWN]]
    if len(cells) > SHOWN:
        annotations.append(command(level, "maskbench gate", f"and {len(cells) - SHOWN} more; see the summary"))
    return annotations
