"""Plots of the decoding: the mask schedules, and the number of tokens fixed in each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.text import clean, percent, significant
from bench.report.as_table import table
from bench.report.html.legends import gamma_keys
from bench.report.html.marks import (
    Chart,
    Panel,
    Spec,
    axis,
    colour,
    lines_and_points,
    panel,
    points,
    shape,
    silent,
    speaking,
    whole_steps,
)  # fmt: skip

if TYPE_CHECKING:
    from bench.report.view import View


def schedule(view: View) -> Chart | None:
    """γ(r) of every gamma."""
    if not view.schedules:
        return None
    legend, data = gamma_keys(view), table(view, "schedule")
    x = axis("ratio", "r: share of the steps done", {"domain": [0, 1]}, format=".0%", tickCount=5, grid=False)
    y = axis("masked_share", "γ(r): share of the hole still masked", {"domain": [0, 1]}, format=".0%", tickCount=5)
    rows = [
        {
            **row,
            "label": f"{clean(row['gamma'])}: {percent(row['masked_share'], 0)} masked after {percent(row['ratio'], 0)}",
        }
        for row in data.to_pylist()
    ]
    inked = colour("gamma", legend)
    layers: list[Spec] = [
        {"mark": silent("line", strokeWidth=2), "encoding": {"x": x, "y": y, "color": inked}},
        {
            "transform": [{"filter": "abs(datum.ratio * 5 - round(datum.ratio * 5)) < 1e-6"}],
            "mark": points(40),
            "encoding": speaking(x=x, y=y, color=inked, shape=shape("gamma", legend)),
        },
    ]
    half = ", ".join(f"{clean(c.gamma)} {percent(c.masked_share[len(c.ratios) // 2], 0)}" for c in view.schedules)
    tokens = view.schedules[0].hole_tokens
    return Chart(
        id="schedule",
        title="Mask schedules γ(r)",
        summary=f"Share of the hole still masked against the share of steps done. Half way: {half}.",
        note=f"For a hole of {tokens} tokens, the mean of this test set. A curve that stays high fixes few tokens early.",
        group="gamma",
        keys=legend,
        panels=(Panel("", panel(rows, layers, 280, "gamma", legend)),),
        table_name="schedule",
        data=data,
    )


def tokens_fixed(view: View) -> Chart | None:
    """One panel per T; only the first of trajectories that differ in other settings: they fix equally many tokens."""
    data = table(view, "curves")
    chosen = {(c.gamma, c.total_iter): c.trajectory_id for c in reversed(view.cells)}.values()
    rows = [row for row in data.to_pylist() if row["trajectory_id"] in chosen and row["tokens_fixed"] is not None]
    if not rows:
        return None
    legend = gamma_keys(view)
    last, most = max(row["step"] for row in rows), max(row["tokens_fixed"] for row in rows)
    for row in rows:
        amount = significant(row["tokens_fixed"])
        row["label"] = f"{clean(row['gamma'])} · T {row['total_iter']} · step {row['step']}: {amount} tokens fixed"
    x = whole_steps(last, "step")
    y = axis("tokens_fixed", "tokens fixed in the step", {"domain": [0, 1.05 * most], "nice": False}, tickCount=5)
    panels = tuple(
        Panel(
            f"T {total}",
            panel(
                [r for r in rows if r["total_iter"] == total],
                lines_and_points(x, y, "gamma", legend),
                240,
                "gamma",
                legend,
            ),
        )
        for total in sorted({row["total_iter"] for row in rows})
    )
    return Chart(
        id="tokens",
        title="Tokens fixed in each step",
        summary=f"Mean number of tokens fixed in each step, one line per gamma; at most {significant(most)}.",
        note="Means over images, as decoded. Tokens fixed in the same step are sampled without seeing each other.",
        group="gamma",
        keys=legend,
        panels=panels,
        table_name="curves",
        data=data,
    )
