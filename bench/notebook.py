"""A finished run in Python and in notebooks: its tables, the best cell, and its report as a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from bench.document.text import clean, significant
from bench.results.cells import settings
from bench.results.folder import RunFolder
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.image import EmbeddedImage
    from bench.report.view import View

SHOWN_ROWS = 10  # cells shown in a notebook
FORMATS = {".html": "html", ".md": "markdown", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
"""Formats of a report by the file's suffix."""


@dataclass(frozen=True, repr=False)
class Run(RunFolder):
    """A run folder that can also write its report and show itself in a notebook."""

    def report(self, output: str | Path, *, images: bool = True) -> Path:
        """Write the report to a file, in the format that its suffix names.

        Args:
            output: The file: .html, .md, .json, .csv or .parquet.
            images: For HTML: with example images, which are decoded again from the stored tokens.

        Returns:
            The file.

        Raises:
            InputError: The suffix is unknown, or the run is damaged, or the file cannot be written.
        """
        from bench.report.formats import report

        path = Path(output)
        if path.suffix not in FORMATS:
            raise InputError(f"{path}: no report has this suffix; use {', '.join(FORMATS)}")
        report(self.path, FORMATS[path.suffix], path, images=partial(_images, self) if images else None)
        return path

    def _repr_html_(self) -> str:
        """Summary, best cells with their errors, and caveats, as HTML for notebooks; all text is escaped."""
        from bench.report.view import build

        view = build(self.path)
        score = view.metric.column
        cells = sorted((c for c in view.cells if c.score is not None), key=lambda cell: cell.score or 0.0)
        header = "".join(
            f"<th>{escape(name)}</th>" for name in ("settings", score, "above the best", "images/s", "cell_id")
        )
        rows = "".join(_row(view, cell.cell_id) for cell in cells[:SHOWN_ROWS])
        more = f"<p>and {len(cells) - SHOWN_ROWS} more cells in <code>run.cells</code></p>" * (len(cells) > SHOWN_ROWS)
        caveats = "".join(f"<li>{escape(clean(caveat.text))}</li>" for caveat in view.caveats)
        return (
            f"<p><strong>{escape(clean(self.record.name))}</strong> {escape(self._summary())}</p>"
            f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>{more}"
            + (f"<details><summary>{len(view.caveats)} caveats</summary><ul>{caveats}</ul></details>" * bool(caveats))
        )


def _row(view: View, cell_id: str) -> str:
    cell, against = view.cell(cell_id), view.difference_from_best(cell_id)
    is_best = view.best is not None and view.best.cell_id == cell_id
    entries = (
        settings(cell, view.varied),
        view.metric.show(cell.score, cell.score_se),
        "best" if is_best or against is None else view.metric.show(against.change, against.change_se),
        significant(cell.images_per_s),
        clean(cell_id),
    )
    return f"<tr>{''.join(f'<td>{escape(entry)}</td>' for entry in entries)}</tr>"


def _images(run: RunFolder) -> Sequence[EmbeddedImage]:
    """Example images of a report; imported on demand because drawing them needs torch."""
    from bench.show.command import report_images

    return report_images(run)
