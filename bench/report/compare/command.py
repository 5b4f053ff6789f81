"""`maskbench compare`: builds the view and writes it in one of three formats."""

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
    """Write a comparison of runs with the first of them to a file, or to standard output.

    Raises:
        InputError: Unknown format, fewer than two runs, a run that cannot be read, an output that cannot be written.
        NotComparableError: Scores of different things.
        IncompleteRunError: A run has no tables yet.
    """
    require_format(format)
    view = build_comparison(runs)
    publish(format, lambda: comparison_document(view), lambda: comparison_content(view), output)
