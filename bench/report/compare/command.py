"""The command `maskbench compare`: builds the view and writes it in one of three formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.output import publish, require_format
from bench.report.compare.as_json import comparison_content
from bench.report.compare.document import comparison_document
from bench.report.compare.view import build_comparison

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def compare(runs: Sequence[Path], format: str = "rich", output: Path | None = None) -> None:
    """Compare runs with the first of them, and write the result to a file or to standard output.

    Raises:
        InputError: The format is unknown, there are fewer than two runs, a run is unreadable or the output not writable.
        NotComparableError: The scores measure different things.
        IncompleteRunError: A run has no tables yet.
    """
    require_format(format)
    view = build_comparison(runs)
    publish(format, lambda: comparison_document(view), lambda: comparison_content(view), output)
