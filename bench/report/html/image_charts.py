"""Plots of the images: quality by size of the hole, and the most influential images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from bench.document.text import fixed, percent
from bench.metrics.registry import METRICS, Metric
from bench.report.as_table import Row, table
from bench.report.html.legends import cell_words, role_mark
from bench.report.html.marks import (
    Chart,
    Panel,
    Spec,
    axis,
    error_bars,
    keys,
    lines_and_points,
    panel,
    speaking,
)  # fmt: skip

if TYPE_CHECKING:
    from bench.report.view import View

MEASURES = tuple(METRICS[name] for name in ("psnr_hole_db", "mae_hole", "ssim_hole", "token_accuracy"))


def holes(view: View) -> Chart | None:
    """Quality of the summary's cells by quarters of the hole size."""
    ids = view.headline_cells
    data = table(view, "hole_bins")
    data = data.filter(pc.is_in(data["cell_id"], value_set=pa.array(ids, pa.string())))
    rows = [row for row in data.to_pylist() if row["psnr_hole_db"] is not None]
    if not rows:
        return None
    names = {cell_id: f"{role_mark(view, cell_id)} {cell_words(view, cell_id)}" for cell_id in ids}
    legend = keys(ids, [names[cell_id] for cell_id in ids])
    for row in rows:
        row["hole"] = f"{100 * row['hole_ratio_from']:.0f}–{percent(row['hole_ratio_to'], 0)}"
        errors = f"PSNR {fixed(row['psnr_hole_db'], 2, ' dB')}, MAE {fixed(row['mae_hole'], 2)}"
        accuracy = f", token accuracy {percent(row['token_accuracy'])}" if row["token_accuracy"] is not None else ""
        for field in (metric.name for metric in MEASURES):
            value, error = row[field], row[f"{field}_se"] or 0.0
            row[f"{field}_low"], row[f"{field}_high"] = (
                (None, None) if value is None else (value - error, value + error)
            )
        row["label"] = f"{names[row['cell_id']]}, hole {row['hole']}: {errors}{accuracy}"
    x = axis("hole", "size of the hole", kind="ordinal", labelAngle=0, grid=False) | {"sort": None}
    panels = tuple(
        Panel(
            metric.label if metric.unit == "%" else metric.label_with_unit,
            panel(
                rows,
                [
                    error_bars(x, y, f"{metric.name}_low", f"{metric.name}_high", "cell_id", legend),
                    *lines_and_points(x, y, "cell_id", legend),
                ],
                220,
                "cell_id",
                legend,
            ),
        )
        for metric in MEASURES
        if (y := _measure_axis(rows, metric)) is not None
    )
    of_best = [row for row in rows if row["cell_id"] == ids[0]]
    ends = " to ".join(fixed(row["psnr_hole_db"], 2, " dB") for row in (of_best[0], of_best[-1])) if of_best else "–"
    return Chart(
        id="holes",
        title="Quality by size of the hole",
        summary="Quality in the hole, by quarters of the hole size."
        f" PSNR of the best cell, smallest to largest holes: {ends}.",
        note="The cells of the summary. Each point is a quarter of the images; bars are ± one standard error over them."
        " PSNR and MAE favour blurred images: they show which images are hard, and do not rank settings.",
        group="cell_id",
        keys=legend,
        panels=panels,
        table_name="hole_bins",
        data=data,
    )


def _measure_axis(rows: list[Row], metric: Metric) -> Spec | None:
    """An axis from the smallest to the largest value with its bar; None if no row has a value."""
    field = metric.name
    known = [row[f"{field}_{end}"] for row in rows for end in ("low", "high") if row[field] is not None]
    if not known:
        return None
    margin = 0.08 * (max(known) - min(known)) or 0.05 * abs(known[0]) or 0.05
    options: dict[str, Any] = {"format": ".1~%"} if metric.unit == "%" else {}
    scale = {"domain": [min(known) - margin, max(known) + margin], "nice": False}
    return axis(field, f"{metric.better} is better", scale, tickCount=5, **options)


def influential(view: View) -> Chart | None:
    """The effect of the most influential images on the score."""
    if not view.influential:
        return None
    data = table(view, "influential")
    rows = []
    for row in data.to_pylist():
        amount = f"{row['influence']:+.{view.metric.decimals}f}"
        rows.append({**row, "label": f"image {row['image_id']} of {cell_words(view, row['cell_id'])}: {amount}"})
    amounts = [row["influence"] for row in rows]
    span = {"domain": [min(0.0, *amounts), max(0.0, *amounts)], "padding": 12}
    x = axis("influence", f"influence on the {view.metric.column}", span, tickCount=6)
    y = axis("image_id", "image", kind="ordinal", grid=False) | {"sort": None}
    sign = {"condition": {"test": "datum.influence > 0", "value": "var(--series-2)"}, "value": "var(--series-1)"}
    bar = {"type": "bar", "height": {"band": 0.7}}
    top = rows[0]
    return Chart(
        id="influential",
        title="The most influential images",
        summary=f"The {len(rows)} images with the largest influence on the {view.metric.column}; first {top['label']}.",
        note="About the drop in the score if the image were left out. A positive influence makes the score worse.",
        group="",
        keys=(),
        panels=(
            Panel("", panel(rows, [{"mark": bar, "encoding": speaking(x=x, y=y, color=sign)}], 24 * len(rows) + 40)),
        ),
        table_name="influential",
        data=data,
    )
