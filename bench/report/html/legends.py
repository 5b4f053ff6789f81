"""Legends of the plots: the gamma functions of a run, and the marks of the summary's cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report.headlines import ROLES
from bench.report.html.marks import Key, keys
from bench.results.cells import settings

if TYPE_CHECKING:
    from bench.report.view import View


def gamma_keys(view: View) -> tuple[Key, ...]:
    """The legend of the gamma functions, in the order of the grid."""
    gammas = list(dict.fromkeys(cell.gamma for cell in view.cells))
    return keys(gammas, gammas)


def role_mark(view: View, cell_id: str) -> str:
    """Marks of a cell's headlines."""
    return "".join(ROLES[headline.kind].mark for headline in view.headlines if headline.cell_id == cell_id)


def cell_words(view: View, cell_id: str) -> str:
    """Description of a cell."""
    return settings(view.cell(cell_id), view.varied)
