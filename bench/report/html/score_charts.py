"""Plots of the score: against the step, with the reference rows, and against speed."""

from __future__ import annotations

from dataclasses import dataclass
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
from bench.report.references import FLOOR, ONE_SHOT, Reference, reference_label
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
SHORT_LABELS = {
    FLOOR: "floor",
    ONE_SHOT: "one-shot",
    "masked_input": "masked input",
    "telea": "Telea",
    "oracle_filling": "oracle",
}
SAME_LABEL = 0.06  # share of the axis below which two labels would overlap


def steps(view: View) -> Chart | None:
    """The score against the sweet spot, one line per gamma, one panel per T, with the references on the same axes."""
    best = view.best
    if best is None or best.score is None:
        return None
    best_score = best.score
    legend, rows = gamma_keys(view), _score_rows(view)
    low, high = _span(rows)
    near = min(high, _near(best, low))
    extent = _Extent(low, high, *_differences_span(rows))
    panels = tuple(Panel(grid_title(view, grid), _steps_panel(view, grid, rows, legend, extent)) for grid in view.grids)
    worst = max(row["score"] for row in rows)
    return Chart(
        id="steps",
        title=f"{view.metric.column} by step",
        summary=f"{view.metric.column} against the sweet spot, one line per gamma, one panel per T. From"
        f" {view.metric.show(worst)} down to {view.metric.show(best.score)}, the best: {settings(best, view.varied)}.",
        note=_steps_note(view, extent),
        group="gamma",
        keys=legend,
        panels=panels,
        table_name="grids",
        data=table(view, "grids"),
        zoom=(near - best_score, extent.top) if near - best_score < extent.top else None,
        switch=("absolute", "Scores instead of differences from the best") if view.selection else None,
    )


@dataclass(frozen=True)
class _Extent:
    """Ends of the axes: of scores with their own errors, and of differences from the best with their paired errors."""

    low: float
    high: float
    bottom: float
    top: float


def _differences_span(rows: list[Row]) -> tuple[float, float]:
    return padded(min(row["change_low"] for row in rows), max(row["change_high"] for row in rows))


def _steps_note(view: View, extent: _Extent) -> str:
    words = ["Decoding stops after step s. Lower is better. A ring marks the best cell of the run."]
    if view.selection is not None:
        words.append(
            "Difference from the best cell ± its standard error over images, paired. The shaded band reaches up to the "
            "highest cell within noise of the best; cells outside that confidence set are faint."
        )
    best = view.best.score if view.best and view.best.score is not None else 0.0
    for title, drawn in (("Dashed", True), ("Beyond the axis", False)):
        of = [r for r in _comparable(view) if r.score is not None and _is_drawn(r, best, extent) == drawn]
        if of:
            named = ", ".join(f"{reference_label(r, view.metric)} {view.metric.show(r.score, r.score_se)}" for r in of)
            words.append(f"{title}: {named}.")
    return " ".join(words)


def _steps_panel(view: View, grid: ScoreGrid, rows: list[Row], legend: Sequence[Key], extent: _Extent) -> Spec:
    """Differences from the best; the signal `absolute` shows scores with their own errors at the same points."""
    assert view.best is not None
    assert view.best.score is not None
    last = max(cell.sweet_spot for cell in view.cells)
    x = whole_steps(last, "sweet spot s", "sweet_spot")
    best, decimals = view.best.score, view.metric.decimals
    ends = [
        {"expr": f"absolute ? {extent.low - best} : {extent.bottom}"},
        {"expr": f"ymax + (absolute ? {extent.high - best - extent.top} : 0)"},
    ]
    labels = f"format(datum.value + (absolute ? {best} : 0), absolute ? '.{decimals}f' : '+.{decimals}f')"
    y = axis("change", view.metric.column, {"domain": ends, "nice": False}, tickCount=6, labelExpr=labels)
    values = [row for row in rows if row["total_iter"] == grid.total_iter and _belongs(row, grid)]
    bars = error_bars(x, y, "bar_low", "bar_high", "gamma", legend)
    bars["transform"] = [
        {"calculate": f"absolute ? datum.low - {best} : datum.change_low", "as": "bar_low"},
        {"calculate": f"absolute ? datum.high - {best} : datum.change_high", "as": "bar_high"},
    ]
    line, marks = lines_and_points(x, y, "gamma", legend)
    marks["encoding"]["opacity"] = {"condition": {"test": "datum.within_noise === false", "value": 0.45}, "value": 1}
    layers: list[Spec] = [
        *_reference_layers(view, grid, y, extent),
        *_band(view, y),
        bars,
        {"transform": [{"filter": "datum.best"}], "mark": _ring(), "encoding": {"x": x, "y": y}},
        line,
        marks,
    ]
    params = [{"name": "ymax", "value": extent.top}, {"name": "absolute", "value": view.selection is None}]
    return panel(values, layers, 280, "gamma", legend, params)


def _band(view: View, y: Spec) -> list[Spec]:
    """The range of the cells within noise of the best, shaded; none without errors."""
    within = [entry.change for entry in view.against_best if entry.within_noise]
    if not within:
        return []
    mark = silent("rect", fill="var(--heat)", opacity=0.22)
    ends = {"y": {**y, "field": "from"}, "y2": {"field": "to"}}
    return [{"data": {"values": [{"from": 0, "to": max(within)}]}, "mark": mark, "encoding": ends}]


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
        entry = view.difference_from_best(row["cell_id"])
        if entry is not None:
            paired = entry.change_se or 0.0
            drawn |= {"change_low": entry.change - paired, "change_high": entry.change + paired}
            drawn["within_noise"] = entry.within_noise
            if entry.change_se is not None and entry.change > 0:
                label += f", {view.metric.show(entry.change, entry.change_se)} above the best"
        rows.append({**row, **drawn, "best": best is not None and cell.cell_id == best.cell_id, "label": label})
    return rows


def _span(rows: list[Row]) -> tuple[float, float]:
    """Ends of a score axis that holds all cells with their bars."""
    return padded(min(row["low"] for row in rows), max(row["high"] for row in rows))


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


def _is_drawn(reference: Reference, best: float, extent: _Extent) -> bool:
    """True if a reference row lies within the axis, which it never stretches: the curves keep their height."""
    return reference.score is not None and extent.bottom <= reference.score - best <= extent.top


def _reference_layers(view: View, grid: ScoreGrid, y: Spec, extent: _Extent) -> list[Spec]:
    """A dashed line for every reference of the panel's checkpoint and composition; near-equal ones share a label."""
    assert view.best is not None
    best = view.best.score or 0.0
    cell = next(c for c in view.cells if c.total_iter == grid.total_iter and _matches(c, grid))
    values: list[Row] = []
    drawn = [r for r in view.references if _is_drawn(r, best, extent) and _is_comparable(r, cell)]
    for reference in sorted(drawn, key=lambda r: r.score or 0.0):
        change, words = (reference.score or 0.0) - best, clean(SHORT_LABELS.get(reference.name, reference.name))
        if values and change - values[-1]["change"] < SAME_LABEL * (extent.top - extent.bottom):
            words, values[-1]["words"] = f"{values[-1]['words']}, {words}", ""
        values.append({"change": change, "words": words})
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
