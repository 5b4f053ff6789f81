"""Building blocks of the plots: Vega-Lite layers and panels, in the colours of the style sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

Spec = dict[str, Any]

COLOURS = 8  # --series-1 … --series-8 of report.css: Okabe and Ito's, which colour-blind readers can distinguish
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CONFIG: Spec = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line-strong)",
        "tickColor": "var(--line-strong)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 8,
        "labelPadding": 4,
    },
    "legend": {"disable": True},  # the page has its own, which the keyboard reaches
    "text": {"fill": "var(--ink)", "fontSize": 12},
}


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a value of the chart's group, its label, colour (1 to COLOURS) and shape."""

    value: str
    words: str
    colour: int
    shape: str


@dataclass(frozen=True)
class Panel:
    """One plot of a chart."""

    title: str
    spec: Spec


@dataclass(frozen=True)
class Chart:
    """Plots that belong together, also as text and as a table.

    group: what the legend switches ("gamma", "cell" or, without a legend, ""); zoom: the axis' top near the best score and
    whole, where the reader may choose; switch: name and label of a signal; data: what is drawn, `--table table_name`.
    """

    id: str
    title: str
    summary: str
    note: str
    group: str
    keys: tuple[Key, ...]
    panels: tuple[Panel, ...]
    table_name: str
    data: pa.Table
    zoom: tuple[float, float] | None = None
    switch: tuple[str, str] | None = None


def keys(values: Sequence[str], words: Sequence[str]) -> tuple[Key, ...]:
    """Give every value a colour and a shape; both repeat only beyond 24 values."""
    return tuple(
        Key(value, text, i % COLOURS + 1, SHAPES[(i + i // (COLOURS * 3)) % len(SHAPES)])
        for i, (value, text) in enumerate(zip(values, words, strict=True))
    )


def panel(
    values: list[dict[str, Any]],
    layers: list[Spec],
    height: int,
    group: str = "",
    legend: Sequence[Key] = (),
    params: Sequence[Spec] = (),
) -> Spec:
    """A plot as wide as its container; rows whose `group` is switched off in the legend are left out."""
    shown: Spec = {"name": "shown", "value": [key.value for key in legend]}
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": values},
        "params": [*([shown] if group else []), *params],
        "transform": [{"filter": f"indexof(shown, datum.{group}) >= 0"}] if group else [],
        "layer": layers,
        "config": CONFIG,
    }


def axis(field: str, title: str, scale: Spec | None = None, kind: str = "quantitative", **options: Any) -> Spec:
    """An x or y channel."""
    return {"field": field, "type": kind, "title": title, "scale": scale or {}, "axis": options}


def whole_steps(last: int, title: str = "", field: str = "step") -> Spec:
    """An x axis of decoding steps, 1 to last, the same in every panel."""
    span = {"domain": [1, max(last, 2)], "nice": False, "padding": 12}
    return axis(field, title, span, format="d", values=list(range(1, last + 1)), labelOverlap="greedy", grid=False)


def colour(group: str, legend: Sequence[Key]) -> Spec:
    """The colour channel of a legend."""
    domain, range_ = [key.value for key in legend], [f"var(--series-{key.colour})" for key in legend]
    return {"field": group, "type": "nominal", "scale": {"domain": domain, "range": range_}}


def shape(group: str, legend: Sequence[Key]) -> Spec:
    """The shape channel of a legend."""
    domain, range_ = [key.value for key in legend], [key.shape for key in legend]
    return {"field": group, "type": "nominal", "scale": {"domain": domain, "range": range_}}


def silent(mark: str, **options: Any) -> Spec:
    """A mark that assistive technology skips: its points have the labels."""
    return {"type": mark, "aria": False, "tooltip": None, "clip": True, **options}


def points(size: int = 55, **options: Any) -> Spec:
    """Points that show their row's `label` to pointer, keyboard and assistive technology."""
    return {"type": "point", "filled": True, "opacity": 1, "size": size, "clip": True, **options}


def speaking(**channels: Spec) -> Spec:
    """Encoding of marks that show their row's `label`."""
    label = {"field": "label", "type": "nominal"}
    return {**channels, "tooltip": label, "description": label}


def error_bars(x: Spec, y: Spec, low: str, high: str, group: str, legend: Sequence[Key]) -> Spec:
    """Bars from one field to another, in the colours of the legend."""
    ends = {"y": {**y, "field": low}, "y2": {"field": high}}
    return {
        "mark": silent("rule", strokeWidth=1.5, opacity=0.7),
        "encoding": {"x": x, **ends, "color": colour(group, legend)},
    }


def padded(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis with a little room around its values."""
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def lines_and_points(x: Spec, y: Spec, group: str, legend: Sequence[Key]) -> list[Spec]:
    """One line per value of the group, with points."""
    inked = colour(group, legend)
    return [
        {"mark": silent("line", strokeWidth=2), "encoding": {"x": x, "y": y, "color": inked}},
        {"mark": points(), "encoding": speaking(x=x, y=y, color=inked, shape=shape(group, legend))},
    ]
