"""The report as tables, for other tools: the data of every plot, by name, from the same view as the plot.

A score's column is called fid or fd, as in cells.parquet, and its standard error fid_se or fd_se. Settings that vary
in the run stand as columns of their own. An absent number is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from bench.document.text import clean
from bench.report.breakdown import MEASURES as HOLE_MEASURES
from bench.report.view import View
from bench.results.cells import Cell, plain
from maskgit.errors import InputError

Row = dict[str, Any]
Columns = dict[str, pa.DataType]
TEXT, WHOLE, REAL, YES = pa.string(), pa.int64(), pa.float64(), pa.bool_()
CELLS = "cells"  # the run folder's own table, written as it is
PLACE = {"gamma": TEXT, "total_iter": WHOLE, "sweet_spot": WHOLE}
CHANGE = {"change": REAL, "change_se": REAL}


def table(view: View, name: str) -> pa.Table:
    """The table of that name, one of `TABLES`.

    Raises:
        InputError: no such table.
    """
    if name not in TABLES:
        raise InputError(f"--table {clean(name)}: unknown; one of {', '.join([CELLS, *TABLES])}")
    columns, rows = TABLES[name](view)
    return pa.Table.from_pylist(list(rows), schema=pa.schema(list(columns.items())))


def settings_columns(view: View) -> Columns:
    """The settings that vary in a run beside gamma, total_iter and sweet_spot: as text, so that any mix of values fits."""
    return dict.fromkeys(view.varied, TEXT)


def _apart(view: View, cell: Cell) -> Row:
    return {axis: plain(getattr(cell, axis)) for axis in view.varied}


def _place(view: View, cell: Cell) -> Row:
    at = {"gamma": cell.gamma, "total_iter": cell.total_iter, "sweet_spot": cell.sweet_spot}
    return {**_apart(view, cell), **at}


def _score_columns(view: View) -> Columns:
    return {view.metric.key: REAL, f"{view.metric.key}_se": REAL}


def _score(view: View, cell: Cell) -> Row:
    return {view.metric.key: cell.score, f"{view.metric.key}_se": cell.score_se}


def _change(view: View, cell: Cell) -> Row:
    """How far a cell's score lies above that of the best, and the standard error of that."""
    known = view.beside_best(cell.cell_id)
    return {"change": known.change, "change_se": known.change_se} if known else {}


def _grids(view: View) -> tuple[Columns, Iterator[Row]]:
    """Every cell with its place in its gamma × sweet-spot table, and how far it is from the best."""
    columns = {
        "cell_id": TEXT,
        **settings_columns(view),
        **PLACE,
        **_score_columns(view),
        **CHANGE,
        "images_per_s": REAL,
    }
    return columns, (
        {
            "cell_id": cell.cell_id,
            **_place(view, cell),
            **_score(view, cell),
            **_change(view, cell),
            "images_per_s": cell.images_per_s,
        }
        for cell in view.cells
    )


def _pareto(view: View) -> tuple[Columns, Iterator[Row]]:
    """The front, fastest first; roles and equal cells are separated by spaces."""
    columns = {"cell_id": TEXT, **settings_columns(view), **PLACE, **_score_columns(view), **CHANGE}
    return {**columns, "images_per_s": REAL, "roles": TEXT, "equal": TEXT}, (
        {
            "cell_id": point.cell_id,
            **_place(view, cell := view.cell(point.cell_id)),
            **_score(view, cell),
            **_change(view, cell),
            "images_per_s": point.images_per_s,
            "roles": " ".join(point.roles),
            "equal": " ".join(point.equal),
        }
        for point in view.front
    )


def _headlines(view: View) -> tuple[Columns, Iterator[Row]]:
    columns = {"kind": TEXT, "cell_id": TEXT, **settings_columns(view), **PLACE, **_score_columns(view)}
    return {**columns, "images_per_s": REAL, "change": REAL, "speedup": REAL}, (
        {
            "kind": headline.kind,
            "cell_id": headline.cell_id,
            **_place(view, cell := view.cell(headline.cell_id)),
            **_score(view, cell),
            "images_per_s": cell.images_per_s,
            "change": headline.change,
            "speedup": headline.speedup,
        }
        for headline in view.headlines
    )


def _references(view: View) -> tuple[Columns, Iterator[Row]]:
    columns = {"reference": TEXT, "checkpoint": TEXT, "compose": TEXT, **_score_columns(view)}
    return columns, (
        {
            "reference": reference.name,
            "checkpoint": reference.checkpoint,
            "compose": reference.compose,
            view.metric.key: reference.score,
            f"{view.metric.key}_se": reference.score_se,
        }
        for reference in view.references
    )


def _curves(view: View) -> tuple[Columns, Iterator[Row]]:
    """Every trajectory's means by step."""
    first = {cell.trajectory_id: cell for cell in reversed(view.cells)}
    columns = {"trajectory_id": TEXT, **settings_columns(view), "gamma": TEXT, "total_iter": WHOLE, "step": WHOLE}
    return {**columns, "masked_left": REAL, "tokens_fixed": REAL, "mean_confidence": REAL}, (
        {
            "trajectory_id": curve.trajectory_id,
            **_apart(view, cell := first[curve.trajectory_id]),
            "gamma": cell.gamma,
            "total_iter": cell.total_iter,
            "step": step,
            "masked_left": left,
            "tokens_fixed": fixed,
            "mean_confidence": confidence,
        }
        for curve in view.curves
        if curve.trajectory_id in first
        for step, left, fixed, confidence in zip(
            curve.steps, curve.masked_left, curve.tokens_fixed, curve.mean_confidence, strict=True
        )
    )


def _schedule(view: View) -> tuple[Columns, Iterator[Row]]:
    return {"gamma": TEXT, "hole_tokens": WHOLE, "ratio": REAL, "masked_share": REAL}, (
        {"gamma": curve.gamma, "hole_tokens": curve.hole_tokens, "ratio": ratio, "masked_share": share}
        for curve in view.schedules
        for ratio, share in zip(curve.ratios, curve.masked_share, strict=True)
    )


def _hole_bins(view: View) -> tuple[Columns, Iterator[Row]]:
    """Every cell's means by quarters of the hole size; a measure's standard error is called <measure>_se."""
    place = {"cell_id": TEXT, "hole_ratio_from": REAL, "hole_ratio_to": REAL, "n": WHOLE}
    measures = {column: REAL for measure in HOLE_MEASURES for column in (measure, f"{measure}_se")}
    return {**place, **measures}, (
        {
            **{name: getattr(hole, name) for name in (*place, *HOLE_MEASURES)},
            **{f"{measure}_se": hole.se.get(measure) for measure in HOLE_MEASURES},
        }
        for hole in view.hole_bins
    )


def _metrics(view: View) -> tuple[Columns, Iterator[Row]]:
    columns = {"cell_id": TEXT, "features": TEXT, "metric": TEXT, "subset": TEXT, "value": REAL, "se": REAL, "n": WHOLE}
    return columns, ({name: getattr(row, name) for name in columns} for row in view.metrics)


def _influential(view: View) -> tuple[Columns, Iterator[Row]]:
    columns = {"cell_id": TEXT, "image_id": WHOLE, "influence": REAL, "copy_of": WHOLE}
    return columns, ({name: getattr(row, name) for name in columns} for row in view.influential)


def _costs(view: View) -> tuple[Columns, Iterator[Row]]:
    columns = {
        "stage": TEXT, "checkpoint": TEXT, "median_ms_per_image": REAL, "p25": REAL, "p75": REAL, "repeats": WHOLE,
    }  # fmt: skip
    costs = view.record.throughput.unit_costs if view.record.throughput else ()
    return columns, ({name: getattr(cost, name) for name in columns} for cost in costs)


def _speed_checks(view: View) -> tuple[Columns, Iterator[Row]]:
    columns = {
        "cell_id": TEXT, "derived_images_per_s": REAL, "measured_images_per_s": REAL, "relative_error": REAL,
    }  # fmt: skip
    checks = view.record.throughput.checks if view.record.throughput else ()
    return columns, ({name: getattr(check, name) for name in columns} for check in checks)


def _warnings(view: View) -> tuple[Columns, Iterator[Row]]:
    """What to distrust."""
    return {"code": TEXT, "text": TEXT}, ({"code": w.code, "text": w.text} for w in view.caveats)


def _seeds(view: View) -> tuple[Columns, Iterator[Row]]:
    """Every setting over its seeds; empty where a run has one seed."""
    columns = {**_without(settings_columns(view), "seed"), **PLACE, "seeds": WHOLE}
    return {**columns, "mean": REAL, "sd_over_seeds": REAL, "se_over_images": REAL}, (
        {
            **_without(_place(view, view.cell(spread.cell_ids[0])), "seed"),
            "seeds": len(spread.seeds),
            "mean": spread.mean,
            "sd_over_seeds": spread.sd_over_seeds,
            "se_over_images": spread.se_over_images,
        }
        for spread in view.seeds
    )


def _checkpoints(view: View) -> tuple[Columns, Iterator[Row]]:
    """Every setting with each checkpoint in the order of the run's list; empty where a run has one checkpoint."""
    columns = {**_without(settings_columns(view), "seed"), **PLACE, "position": WHOLE, **_score_columns(view)}
    return {**columns, **CHANGE}, (
        {
            **_without(_place(view, view.cell(point.cell_ids[0])), "seed"),
            "position": position,
            view.metric.key: point.score,
            f"{view.metric.key}_se": point.se,
            "change": point.change,
            "change_se": point.change_se,
        }
        for one in view.by_checkpoint
        for position, point in enumerate(one.scores, 1)
    )


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


TABLES: dict[str, Callable[[View], tuple[Columns, Iterator[Row]]]] = {
    "headlines": _headlines,
    "grids": _grids,
    "pareto": _pareto,
    "references": _references,
    "seeds": _seeds,
    "checkpoints": _checkpoints,
    "curves": _curves,
    "schedule": _schedule,
    "hole_bins": _hole_bins,
    "metrics": _metrics,
    "influential": _influential,
    "costs": _costs,
    "speed_checks": _speed_checks,
    "warnings": _warnings,
}
