"""The plot of quality over training: the score at each checkpoint of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from bench.report.as_table import Row, table
from bench.report.html.marks import Chart, Panel, axis, error_bars, keys, lines_and_points, padded, panel
from bench.report.sections.groups import CHECKPOINTS_NOTE, best_over_checkpoints, checkpoint_change

if TYPE_CHECKING:
    from bench.report.view import View

SETTINGS_DRAWN = 6


def training(view: View) -> Chart | None:
    """The score against the checkpoint, in the order of the run's list, with one line for each of the best settings."""
    best_settings = best_over_checkpoints(view, SETTINGS_DRAWN)
    if not best_settings:
        return None
    names = [name for name, _ in best_settings]
    legend = keys(names, names)
    rows: list[Row] = []
    for name, over in best_settings:
        for point in over.scores:
            score = f"{name}, {point.checkpoint}: {view.metric.column} {view.metric.show(point.score, point.se)}"
            change = "" if point.change is None else f", {checkpoint_change(view, point)} since the previous one"
            error = point.se or 0.0
            drawn = {"score": point.score, "low": point.score - error, "high": point.score + error}
            rows.append({"setting": name, "checkpoint": point.checkpoint, **drawn, "label": score + change})
    ends = padded(min(row["low"] for row in rows), max(row["high"] for row in rows))
    x = axis("checkpoint", "checkpoint", kind="ordinal", labelAngle=0, labelLimit=140, grid=False) | {"sort": None}
    y = axis("score", view.metric.column, {"domain": list(ends), "nice": False}, tickCount=6)
    bars = error_bars(x, y, "low", "high", "setting", legend)
    layers = [bars, *lines_and_points(x, y, "setting", legend)]
    best_name, best = best_settings[0]
    path = " → ".join(f"{point.checkpoint} {view.metric.show(point.score)}" for point in best.scores)
    return Chart(
        id="training",
        title="Quality over checkpoints",
        summary=f"{view.metric.column} against the checkpoint for {len(best_settings)} settings. {best_name}: {path}.",
        note=f"The best {len(best_settings)} of {len(view.by_checkpoint)} settings, checkpoints in the order of the run's"
        f" list; {CHECKPOINTS_NOTE}.",
        group="setting",
        keys=legend,
        panels=(Panel("", panel(rows, layers, 300, "setting", legend)),),
        table_name="checkpoints",
        data=_drawn(view, {point.cell_ids for _, over in best_settings for point in over.scores}),
    )


def _drawn(view: View, drawn: set[tuple[str, ...]]) -> pa.Table:
    """The rows of `--table checkpoints` that the plot draws."""
    points = [point for over in view.by_checkpoint for point in over.scores]
    return table(view, "checkpoints").filter(pa.array([point.cell_ids in drawn for point in points]))
