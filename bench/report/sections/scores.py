"""Scores: by gamma and sweet spot, against speed, and the reference rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.document.model import Dot, Grid, Grids, Legend, Paragraph, Section, Span, Table, TextPlot, Tone
from bench.document.text import percent, significant
from bench.report.headlines import ROLES
from bench.report.references import Reference, reference_label
from bench.results.cells import describe, settings

if TYPE_CHECKING:
    from bench.report.grids import ScoreGrid
    from bench.report.pareto import FrontPoint
    from bench.report.view import View

GRID_ROLES = {
    "best of the run": ("★", Tone.BEST),
    "best of its table": ("✓", Tone.GOOD),
    "worst of its table": ("✗", Tone.BAD),
}
ON_FRONT, BEATEN = Span("front", "●", Tone.GOOD), Span("beaten", "·", Tone.QUIET)
FRONT_NOTE = "The Pareto front: no other cell is both better and faster."


# --- by gamma and sweet spot ----------------------------------------------------------------------------------------


def grids(view: View) -> Section:
    """A matrix for each total_iter of each combination of the other settings."""
    legend = Legend((Span("lower is better"), *(Span(role, mark, tone) for role, (mark, tone) in GRID_ROLES.items())))
    fixed = [Paragraph(f"The same in all cells: {describe(view.fixed)}", Tone.QUIET)] if view.fixed else []
    return Section(grids_title(view), (legend, *fixed, score_grids(view)))


def grids_title(view: View) -> str:
    """Title of the section."""
    return f"{view.metric.column} by gamma and sweet spot"


def score_grids(view: View) -> Grids:
    """The matrices."""
    return Grids(tuple(_grid(view, grid) for grid in view.grids))


def _grid(view: View, grid: ScoreGrid) -> Grid:
    return Grid(
        title=grid_title(view, grid),
        corner=view.metric.column,
        columns=tuple(f"s {spot}" for spot in grid.sweet_spots),
        rows=tuple(
            (gamma, tuple(_score(view, grid, *entry) for entry in zip(scores, cell_ids, strict=True)))
            for gamma, scores, cell_ids in zip(grid.gammas, grid.scores, grid.cell_ids, strict=True)
        ),
        footer=("images/s", tuple(map(significant, grid.images_per_s))) if any(grid.images_per_s) else None,
    )


def grid_title(view: View, grid: ScoreGrid) -> str:
    """Title that distinguishes a matrix: T, other varying settings, and a remark if its scores are unverified."""
    varied = [describe(grid.settings)] if grid.settings else []
    return " · ".join([f"T {grid.total_iter}", *varied, *([] if view.metric.verified else ["unverified"])])


def _score(view: View, grid: ScoreGrid, score: float | None, cell_id: str | None) -> Span:
    if score is None:
        return Span("·", tone=Tone.QUIET)
    role = _role(view, grid, score)
    mark, tone = GRID_ROLES.get(role, ("", Tone.PLAIN))
    difference = view.difference_from_best(cell_id) if cell_id else None
    tied = bool(difference and difference.within_noise)
    note = ", ".join(filter(None, [role, "within noise of the best" if tied else ""]))
    return Span(view.metric.show(score), mark, tone, note, nearness(view, score), tied)


def _role(view: View, grid: ScoreGrid, score: float) -> str:
    """A key of GRID_ROLES, or an empty string."""
    if view.best is not None and score == view.best.score:
        return "best of the run"
    return {grid.best: "best of its table", grid.worst: "worst of its table"}.get(score, "")


def nearness(view: View, score: float) -> int:
    """Closeness of a score to the best of the run, in percent: 100 is the best, 0 the worst.

    The root of the logarithmic distance: half-decoded cells, which are far worse, leave the good ones their shades.
    """
    known = [cell.score for cell in view.cells if cell.score is not None]
    best, worst = min(known), max(known)
    if best <= 0 or best == worst:
        return 100 if score == best else 0
    return round(100 * (1 - math.sqrt(math.log(score / best) / math.log(worst / best))))


# --- against speed --------------------------------------------------------------------------------------------------


def front(view: View) -> Section:
    """The Pareto front as a plot and as a table."""
    plot = (_plot(view),) if len(view.front) > 1 else ()
    return Section("Quality against speed", (*plot, front_table(view)), FRONT_NOTE)


def front_table(view: View) -> Table:
    """The Pareto front, fastest first; the last column names the roles of a point."""
    header = ("images/s", view.metric.column, "above the best", "settings", "")
    rows = [
        (
            significant(point.images_per_s),
            view.metric.show(point.score, view.cell(point.cell_id).score_se),
            above_best(view, point.cell_id),
            settings(view.cell(point.cell_id), view.varied),
            Span(_roles(point), tone=Tone.GOOD),
        )
        for point in view.front
    ]
    return Table(header, tuple(rows), (0, 1, 2))


def above_best(view: View, cell_id: str) -> str:
    """Difference between a cell's score and the best, with the standard error of the difference."""
    difference = view.difference_from_best(cell_id)
    is_best = view.best is not None and view.best.cell_id == cell_id
    return "–" if difference is None or is_best else view.metric.show(difference.change, difference.change_se)


def _roles(point: FrontPoint) -> str:
    labels = [role.label for kind, role in ROLES.items() if kind in point.roles]
    return ", ".join(labels + ([f"and {len(point.equal)} equal cells"] if point.equal else []))


def _plot(view: View) -> TextPlot:
    kinds = [ROLES[headline.kind] for headline in view.headlines]
    legend = Legend((*(Span(role.label, role.mark, role.tone) for role in kinds), ON_FRONT, BEATEN))
    return TextPlot(f"{view.metric.column}, better upwards", "images/s", _dots(view), view.metric.show, legend)


def _dots(view: View) -> tuple[Dot, ...]:
    """Every cell with a score and a speed; those of the front, then those of the headlines, drawn on top."""
    on_front = {cell_id for point in view.front for cell_id in (point.cell_id, *point.equal)}
    named = {headline.cell_id: ROLES[headline.kind] for headline in reversed(view.headlines)}
    dots = []
    for cell in sorted(view.cells, key=lambda c: (c.cell_id in on_front) + (c.cell_id in named)):
        if cell.score is not None and cell.images_per_s:
            symbol = named.get(cell.cell_id) or (ON_FRONT if cell.cell_id in on_front else BEATEN)
            dots.append(Dot(cell.images_per_s, cell.score, symbol.mark, symbol.tone))
    return tuple(dots)


# --- reference rows -------------------------------------------------------------------------------------------------


def references(view: View) -> Section:
    """The reference rows, with a note that explains them."""
    return Section("Reference rows", (references_table(view),), references_note(view))


def references_note(view: View) -> str:
    """The note on the purpose of each reference row."""
    return (
        f"Tokenizer reconstruction decodes the ground truth's own tokens: the r{view.metric.label} floor that the tokenizer"
        " sets. One-shot decoding is the baseline for decoding in more steps. The masked input and Telea inpainting keep the"
        " known pixels unchanged: they are comparable only with cells of compose = paste."
    )


def references_table(view: View) -> Table:
    """The reference rows."""
    header = ("reference", view.metric.column, "vs best", "checkpoint", "compose")
    rows = [
        (
            reference_label(reference, view.metric),
            view.metric.show(reference.score, reference.score_se),
            _versus_best(view, reference),
            reference.checkpoint or "–",
            "known pixels kept" if reference.keeps_known_pixels else reference.compose or "–",
        )
        for reference in view.references
    ]
    return Table(header, tuple(rows), (1, 2))


def _versus_best(view: View, reference: Reference) -> str:
    """Difference between a reference's score and the best cell's, if the two are comparable."""
    best = view.best
    if best is None or (reference.keeps_known_pixels and best.compose != "paste"):
        return "–"
    if reference.score is None or not best.score or best.score < 0:
        return "–"
    return percent(reference.score / best.score - 1, sign=True)
