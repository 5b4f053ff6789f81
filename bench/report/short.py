"""The short report at the end of a run, at most 40 lines of 80 columns: answer, one matrix, reference rows, caveats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.document.model import Bullets, Document, Grids, Item, Paragraph, Section, Table, Tone
from bench.report.document import INCOMPLETE, NO_SCORE
from bench.report.sections import scores, summary
from bench.report.sections.confirmed import confirmed_line

if TYPE_CHECKING:
    from pathlib import Path

    from bench.document.model import Block, Grid
    from bench.report.view import View
    from bench.results.cells import Cell

MOST_ROWS, MOST_COLUMNS = 6, 7  # of the matrix
MOST_CAVEATS, CAVEAT_WIDTH = 4, 72
MOST_REFERENCES = 5


def short_document(view: View, run: Path, page: bool) -> Document:
    """The short report; `run`: its folder, as the reader would write it; page: whether it holds report.html."""
    parts: list[Section | Block] = [] if view.record.complete else [Paragraph(INCOMPLETE, Tone.WARNING)]
    if view.best is None:
        parts.append(Paragraph(NO_SCORE, Tone.STRONG))
    else:
        matrix = Section(scores.grids_title(view), (Grids((_grid(view),)),))
        parts += [summary.answer(view), _luck(view), matrix, *_references(view, view.best)]
    parts += [_caveats(view), _next(run, page)]
    return Document(f"maskbench: {view.record.name}", tuple(parts))


def _luck(view: View) -> Paragraph:
    lines = [line for line in (summary.tied_line(view), summary.optimism_line(view), confirmed_line(view)) if line]
    return Paragraph(" ".join(lines), Tone.QUIET)


def _grid(view: View) -> Grid:
    """The matrix that holds the best cell, its rows and columns thinned out to fit."""
    place = next(i for i, grid in enumerate(view.grids) if _holds_best(view, i))
    grid, values = scores.score_grids(view).grids[place], view.grids[place]
    assert view.best is not None
    columns = _thinned(len(grid.columns), MOST_COLUMNS, values.sweet_spots.index(view.best.sweet_spot))
    rows = _thinned(len(grid.rows), MOST_ROWS, values.gammas.index(view.best.gamma))
    kept = tuple((name, tuple(entries[i] for i in columns)) for name, entries in (grid.rows[r] for r in rows))
    footer = (grid.footer[0], tuple(grid.footer[1][i] for i in columns)) if grid.footer else None
    return replace(grid, columns=tuple(grid.columns[i] for i in columns), rows=kept, footer=footer)


def _holds_best(view: View, place: int) -> bool:
    grid, best = view.grids[place], view.best
    assert best is not None
    alike = all(best.settings[name] == value for name, value in grid.settings.items())
    return alike and grid.total_iter == best.total_iter and best.gamma in grid.gammas


def _thinned(count: int, most: int, kept: int) -> list[int]:
    """Indices of at most `most` of `count` items, evenly spread, with the first, the last and `kept`."""
    if count <= most:
        return list(range(count))
    spread = {round(i * (count - 1) / (most - 2)) for i in range(most - 1)}
    return sorted({*spread, kept})


def _references(view: View, best: Cell) -> list[Section]:
    """The reference rows that are comparable with the best cell."""
    table = scores.references_table(view)
    rows = [row[:3] for reference, row in zip(view.references, table.rows, strict=True) if reference.applies_to(best)]
    shown = Table(table.header[:3], tuple(rows[:MOST_REFERENCES]), (1, 2))
    return [Section("Reference rows", (shown,))] if rows else []


def _caveats(view: View) -> Bullets:
    """The first caveats, each on one line, and the number of the others."""
    items = [Item(_cut(caveat.text), mark="⚠", tone=Tone.WARNING) for caveat in view.caveats[:MOST_CAVEATS]]
    if more := len(view.caveats) - MOST_CAVEATS:
        items += [Item(f"{more} more: maskbench report --full", mark="⚠", tone=Tone.WARNING)] if more > 0 else []
    return Bullets(tuple(items))


def _cut(text: str) -> str:
    return text if len(text) <= CAVEAT_WIDTH else f"{text[: CAVEAT_WIDTH - 1].rsplit(' ', 1)[0]} …"


def _next(run: Path, page: bool) -> Paragraph:
    parts = [str(run), *(["report.html"] if page else []), f"next: maskbench show {run}"]
    return Paragraph(" · ".join(parts), Tone.STRONG)
