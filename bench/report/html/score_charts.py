"""Plots of the score: against the step, with the reference rows, and against speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.text import clean, significant
from bench.report.as_table import Row, table
from bench.report.headlines import ROLES
from bench.report.html.legends import cell_words, gamma_keys
from bench.report.html.marks import (
    Chart,
    Key,
    Panel,
    Spec,
    axis,
    colour,
    error_bars,
    lines_and_points,
    padded,
    panel,
    points,
    shape,
    silent,
    speaking,
    whole_steps,
)  # fmt: skip
from bench.report.references import FLOOR, Reference, reference_label
from bench.report.sections.scores import FRONT_NOTE, grid_title
from bench.results.cells import Cell, plain, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report.grids import ScoreGrid
    from bench.report.view import View

NEAR = 1.25  # the zoomed axis ends a quarter above the best score
FOOT: Spec = {"value": "height"}
PARETO_HEIGHT, NAME_HEIGHT = 380, 15  # pixels; names of the headline cells are at the foot of the plot
LOG_RANGE = 8.0  # speeds that differ by more have a logarithmic axis
ALWAYS_DRAWN = (FLOOR, "one_shot")  # other references only where the axis reaches them


def steps(view: View) -> Chart | None:
    """The score against the sweet spot, one line per gamma, one panel per T, with the references on the same axes."""
    best = view.best
    if best is None:
        return None
    legend, rows = gamma_keys(view), _score_rows(view)
    low, high = _span(rows, [r.score for r in _comparable(view) if r.name in ALWAYS_DRAWN and r.score is not None])
    near = min(high, _near(best, low))
    panels = tuple(
        Panel(grid_title(view, grid), _steps_panel(view, grid, rows, legend, low, high)) for grid in view.grids
    )
    worst = max(row["score"] for row in rows)
    return Chart(
        id="steps",
        title=f"{view.metric.column} by step",
        summary=f"{view.metric.column} against the sweet spot, one line per gamma, one panel per T. From"
        f" {view.metric.show(worst)} down to {view.metric.show(best.score)}, the best: {settings(best, view.varied)}.",
        note=_steps_note(view, low, high),
        group="gamma",
        keys=legend,
        panels=panels,
        table_name="grids",
        data=table(view, "grids"),
        zoom=(near, high) if near < high else None,
    )


def _steps_note(view: View, low: float, high: float) -> str:
    words = ["Decoding stops after step s. Lower is better. A ring marks the best cell of the run."]
    if any(cell.score_se is not None for cell in view.cells):
        words.append(
            "Bars are ± one standard error over images. All cells decode the same images, so the difference between"
            " two cells is more certain than their bars suggest."
        )
    beyond = [r for r in _comparable(view) if r.score is not None and not _is_drawn(r, low, high)]
    if beyond:
        named = ", ".join(f"{reference_label(r, view.metric)} {view.metric.show(r.score)}" for r in beyond)
        words.append(f"Beyond the axis: {named}.")
    return " ".join(words)


def _steps_panel(view: View, grid: ScoreGrid, rows: list[Row], legend: Sequence[Key], low: float, high: float) -> Spec:
    last = max(cell.sweet_spot for cell in view.cells)
    x = whole_steps(last, "sweet spot s", "sweet_spot")
    y = _score_axis(view, low)
    values = [row for row in rows if row["total_iter"] == grid.total_iter and _belongs(row, grid)]
    layers: list[Spec] = [
        *_reference_layers(view, grid, y, low, high),
        error_bars(x, y, "low", "high", "gamma", legend),
        {"transform": [{"filter": "datum.best"}], "mark": _ring(), "encoding": {"x": x, "y": y}},
        *lines_and_points(x, y, "gamma", legend),
    ]
    return panel(values, layers, 280, "gamma", legend, [{"name": "ymax", "value": high}])


def _score_rows(view: View) -> list[Row]:
    """The rows of the grids that have a score, with their coordinates and labels in a plot."""
    best, key = view.best, view.metric.key
    rows = []
    for row in table(view, "grids").to_pylist():
        if row[key] is None:
            continue
        cell, error = view.cell(row["cell_id"]), row[f"{key}_se"]
        speed = f" at {significant(cell.images_per_s)} images/s" if cell.images_per_s else ""
        label = f"{settings(cell, view.varied)}: {view.metric.column} {view.metric.show(cell.score, error)}{speed}"
        drawn = {"score": row[key], "low": row[key] - (error or 0.0), "high": row[key] + (error or 0.0)}
        rows.append({**row, **drawn, "best": best is not None and cell.cell_id == best.cell_id, "label": label})
    return rows


def _span(rows: list[Row], shown: Sequence[float] = ()) -> tuple[float, float]:
    """Ends of a score axis that holds all cells with their bars and the references drawn."""
    return padded(min([*shown, *(row["low"] for row in rows)]), max([*shown, *(row["high"] for row in rows)]))


def _near(best: Cell, low: float) -> float:
    """Top of the zoomed axis."""
    assert best.score is not None
    return best.score * NEAR if best.score > 0 else best.score + (best.score - low)


def _score_axis(view: View, low: float, field: str = "score") -> Spec:
    return axis(field, view.metric.column, {"domain": [low, {"expr": "ymax"}], "nice": False}, tickCount=6)


def _belongs(row: Row, grid: ScoreGrid) -> bool:
    return all(row[name] == plain(value) for name, value in grid.settings.items())


def _comparable(view: View) -> list[Reference]:
    """References whose checkpoint and composition occur in the cells."""
    return [r for r in view.references if any(_is_comparable(r, cell) for cell in view.cells)]


def _is_comparable(reference: Reference, cell: Cell) -> bool:
    return reference.checkpoint in (None, cell.checkpoint) and reference.compose in (None, cell.compose)


def _is_drawn(reference: Reference, low: float, high: float) -> bool:
    return reference.score is not None and (reference.name in ALWAYS_DRAWN or low <= reference.score <= high)


def _reference_layers(view: View, grid: ScoreGrid, y: Spec, low: float, high: float) -> list[Spec]:
    """A dashed, labelled line for every reference of the panel's checkpoint and composition."""
    cell = next(c for c in view.cells if c.total_iter == grid.total_iter and _matches(c, grid))
    values = [
        {"score": r.score, "words": clean(f"{reference_label(r, view.metric)} {view.metric.show(r.score, r.score_se)}")}
        for r in view.references
        if _is_drawn(r, low, high) and _is_comparable(r, cell)
    ]
    if not values:
        return []
    text = {"align": "right", "baseline": "bottom", "dy": -3, "fill": "var(--muted)", "fontSize": 11}
    at_end = {"x": {"value": "width"}, "y": y, "text": {"field": "words"}}
    return [
        {
            "data": {"values": values},
            "mark": silent("rule", stroke="var(--muted)", strokeDash=[5, 4]),
            "encoding": {"y": y},
        },
        {"data": {"values": values}, "mark": silent("text", **text), "encoding": at_end},
    ]


def _matches(cell: Cell, grid: ScoreGrid) -> bool:
    return all(getattr(cell, name) == value for name, value in grid.settings.items())


def _ring() -> Spec:
    """A ring, drawn below the points so that the pointer reaches the points."""
    return silent("point", filled=False, size=190, stroke="var(--ink)", strokeWidth=1.5, shape="circle", clip=False)


def pareto(view: View) -> Chart | None:
    """The score against speed: every cell, the Pareto front, and the names of the headline cells."""
    best = view.best
    rows = [row for row in _score_rows(view) if row["images_per_s"]]
    if best is None or not rows:
        return None
    legend = gamma_keys(view)
    low, high = _span(rows)
    names, room = _named_cells(view), NAME_HEIGHT * (len(view.headlines) + 1)
    low -= room / (PARETO_HEIGHT - room) * (high - low)
    near = min(high, _near(best, low))
    speeds = [row["images_per_s"] for row in rows]
    x = axis("images_per_s", "images/s", _speed_scale(speeds), tickCount=6, grid=False)
    y = _score_axis(view, low)
    front: list[Row] = [{"images_per_s": point.images_per_s, "score": point.score} for point in view.front]
    line = silent("line", stroke="var(--ink)", strokeWidth=1.25, strokeDash=[2, 3], interpolate="step-before")
    inked = {"color": colour("gamma", legend), "shape": shape("gamma", legend)}
    on_front = {point.cell_id for point in view.front} | {equal for point in view.front for equal in point.equal}
    marked: list[Row] = [{**row, "front": row["cell_id"] in on_front} for row in rows]
    faint = {"opacity": {"condition": {"test": "datum.front", "value": 1}, "value": 0.45}}
    layers: list[Spec] = [
        {"data": {"values": front}, "mark": line, "encoding": {"x": x, "y": y}},
        {"transform": [{"filter": "datum.front"}], **error_bars(x, y, "low", "high", "gamma", legend)},
        *_leaders(names, x, y),
        {"mark": points(70), "encoding": speaking(x=x, y=y, **inked, **faint)},
        _names(names, x, speeds),
    ]
    ends = f"from {significant(view.front[0].images_per_s)} down to {significant(view.front[-1].images_per_s)} images/s"
    return Chart(
        id="pareto",
        title="Quality against speed",
        summary=f"{view.metric.column} against images per second. {len(view.front)} of {len(rows)} points are on the Pareto"
        f" front, {ends}; "
        + "; ".join(f"{h.title.lower()}: {cell_words(view, h.cell_id)}" for h in view.headlines)
        + ".",
        note=f"Down and to the right is better. The dotted line: {FRONT_NOTE[0].lower()}{FRONT_NOTE[1:]}",
        group="gamma",
        keys=legend,
        panels=(Panel("", panel(marked, layers, PARETO_HEIGHT, "gamma", legend, [{"name": "ymax", "value": high}])),),
        table_name="pareto",
        data=table(view, "pareto"),
        zoom=(near, high) if near < high else None,
    )


def _speed_scale(speeds: Sequence[float]) -> Spec:
    kind = "log" if max(speeds) > LOG_RANGE * min(speeds) else "linear"
    return {"type": kind, "domain": [min(speeds), max(speeds)], "nice": False, "padding": 24}


def _named_cells(view: View) -> list[Row]:
    """The headline cells with their roles, slowest first; lift: height of their names above the foot of the plot."""
    cells = {headline.cell_id: view.cell(headline.cell_id) for headline in view.headlines}
    values: list[Row] = []
    for cell in sorted(cells.values(), key=lambda c: c.images_per_s or 0.0):
        roles = [f"{ROLES[h.kind].mark} {ROLES[h.kind].label}" for h in view.headlines if h.cell_id == cell.cell_id]
        above_foot = -NAME_HEIGHT * sum(len(value["roles"]) for value in values) - NAME_HEIGHT // 2
        text = {"roles": roles, "lift": above_foot - NAME_HEIGHT * (len(roles) - 1)}
        values.append({"images_per_s": cell.images_per_s, "score": cell.score, **text})
    return values


def _leaders(names: list[Row], x: Spec, y: Spec) -> list[Spec]:
    """A ring around each named cell and a thin line to the foot of the plot."""
    line = silent("rule", stroke="var(--muted)", strokeWidth=0.75)
    return [
        {"data": {"values": names}, "mark": line, "encoding": {"x": x, "y": y, "y2": FOOT}},
        {"data": {"values": names}, "mark": _ring(), "encoding": {"x": x, "y": y}},
    ]


def _names(names: list[Row], x: Spec, speeds: Sequence[float]) -> Spec:
    """The names, in the space reserved at the foot of the plot."""
    middle = (max(speeds) + min(speeds)) / 2
    text = {
        "align": {"expr": f"datum.images_per_s < {middle} ? 'left' : 'right'"},
        "dx": {"expr": f"datum.images_per_s < {middle} ? 6 : -6"},
        "dy": {"expr": "datum.lift"},
    }
    name = silent("text", **text, baseline="middle", lineHeight=NAME_HEIGHT, fontWeight=600, fill="var(--ink)")
    return {"data": {"values": names}, "mark": name, "encoding": {"x": x, "y": FOOT, "text": {"field": "roles"}}}
