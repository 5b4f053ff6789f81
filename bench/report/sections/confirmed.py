"""Confirmation on fresh seeds, next to the scores that selected the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Section, Table
from bench.results.cells import settings

if TYPE_CHECKING:
    from bench.report.confirm import Confirmation
    from bench.report.view import View

NOTE = (
    "Nothing was selected by the scores on fresh seeds, so they are free of the luck in the selected ones; "
    "± standard error over the same test images."
)


def confirmed_line(view: View) -> str:
    """The selected and the confirmed score of the recommended cell; empty without a confirmation."""
    if view.confirmation is None or view.answer is None:
        return ""
    row = next((row for row in view.confirmation.cells if row.cell_id == view.answer.cell_id), None)
    if row is None:
        return ""
    show, count = view.metric.show, len(view.confirmation.seeds)
    return (
        f"Confirmed on {count} fresh {'seed' if count == 1 else 'seeds'}: {view.metric.column} {show(row.score, row.se)}, "
        f"selected with {show(row.selected)}; {_signed(view, row.change)} ± {show(row.change_se)} from the best cell there."
    )


def confirmed(view: View, confirmation: Confirmation) -> Section:
    """The candidates on fresh seeds."""
    header = ("settings", "selected", "confirmed", "from the best cell")
    rows = [
        (
            settings(view.cell(row.cell_id), view.varied),
            view.metric.show(row.selected),
            view.metric.show(row.score, row.se),
            "–" if place == 0 else f"{_signed(view, row.change)} ± {view.metric.show(row.change_se)}",
        )
        for place, row in enumerate(confirmation.cells)
    ]
    title = f"Confirmed on fresh seeds ({', '.join(map(str, confirmation.seeds))})"
    return Section(title, (Table(header, tuple(rows), (1, 2, 3)),), NOTE)


def _signed(view: View, value: float) -> str:
    return f"{value:+.{view.metric.decimals}f}"
