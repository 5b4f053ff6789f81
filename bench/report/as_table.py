"""The report as tables for other tools: the data of every plot, by name, from the same view as the plot.

A score's column is called fid or fd, as in cells.parquet, and its standard error fid_se or fd_se. Settings that vary
in the run have columns of their own. An absent number is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.document.text import clean
from bench.report.breakdown import MEASURES as HOLE_MEASURES
from bench.results.cells import Cell, plain
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.report.view import View

Row = dict[str, Any]
CELLS = "cells"  # the run folder's own table, written as it is
TEXTS = {
    "cell_id", "trajectory_id", "gamma", "roles", "equal", "kind", "reference", "checkpoint", "compose", "features",
    "metric", "subset", "stage", "code", "text",
}  # fmt: skip
WHOLE_NUMBERS = {
    "total_iter", "sweet_spot", "step", "hole_tokens", "n", "image_id", "copy_of", "repeats", "seeds", "position",
}  # fmt: skip
PLACE = ("gamma", "total_iter", "sweet_spot")
CHANGE = ("change", "change_se")


def table(view: View, name: str) -> pa.Table:
    """The table with a given name, one of `TABLES`.

    Raises:
        InputError: The name is unknown.
    """
    if name not in TABLES:
        raise InputError(f"--table {clean(name)}: unknown; choose one of {', '.join([CELLS, *TABLES])}")
    return TABLES[name](view)


def _table(view: View, columns: Iterable[str], rows: Iterable[Row]) -> pa.Table:
    """A table with the given columns, even without rows; a column that a row lacks is null in it."""
    schema = pa.schema([(name, _type(view, name)) for name in columns])
    return pa.Table.from_pylist(list(rows), schema=schema)


def _type(view: View, column: str) -> pa.DataType:
    """Columns of the varying settings: text, so that any mix of values fits."""
    if column in TEXTS or column in view.varied:
        return pa.string()
    return pa.int64() if column in WHOLE_NUMBERS else pa.float64()


def _place_columns(view: View, *left_out: str) -> tuple[str, ...]:
    """Names of the columns that identify a row's cell."""
    return (*(axis for axis in view.varied if axis not in left_out), *PLACE)


def _place(view: View, cell: Cell, *left_out: str) -> Row:
    place = {"gamma": cell.gamma, "total_iter": cell.total_iter, "sweet_spot": cell.sweet_spot}
    return {**{axis: plain(cell.settings[axis]) for axis in view.varied if axis not in left_out}, **place}


def _score_columns(view: View) -> tuple[str, str]:
    return view.metric.key, f"{view.metric.key}_se"


def _score(view: View, value: float | None, error: float | None) -> Row:
    return dict(zip(_score_columns(view), (value, error), strict=True))


def _cell(view: View, cell: Cell) -> Row:
    """A cell with its settings, its score, its difference from the best and its speed."""
    difference = view.difference_from_best(cell.cell_id)
    change = {"change": difference.change, "change_se": difference.change_se} if difference else {}
    return {
        "cell_id": cell.cell_id,
        **_place(view, cell),
        **_score(view, cell.score, cell.score_se),
        **change,
        "images_per_s": cell.images_per_s,
    }


def _fields(rows: Iterable[Any], columns: Iterable[str]) -> list[Row]:
    return [{name: getattr(row, name) for name in columns} for row in rows]


# --- one function per table -----------------------------------------------------------------------------------------


def _headlines(view: View) -> pa.Table:
    columns = ("kind", "cell_id", *_place_columns(view), *_score_columns(view), "images_per_s", "change", "speedup")
    rows = [
        {
            **_cell(view, view.cell(headline.cell_id)),
            "kind": headline.kind,
            "change": headline.change,
            "speedup": headline.speedup,
        }
        for headline in view.headlines
    ]
    return _table(view, columns, rows)


def _grids(view: View) -> pa.Table:
    """Every cell with its place in its gamma × sweet-spot table, and its difference from the best."""
    columns = ("cell_id", *_place_columns(view), *_score_columns(view), *CHANGE, "images_per_s")
    return _table(view, columns, [_cell(view, cell) for cell in view.cells])


def _pareto(view: View) -> pa.Table:
    """The front, fastest first; roles and equal cells are separated by spaces."""
    columns = ("cell_id", *_place_columns(view), *_score_columns(view), *CHANGE, "images_per_s", "roles", "equal")
    rows = [
        {**_cell(view, view.cell(point.cell_id)), "roles": " ".join(point.roles), "equal": " ".join(point.equal)}
        for point in view.front
    ]
    return _table(view, columns, rows)


def _references(view: View) -> pa.Table:
    rows = [
        {
            "reference": reference.name,
            "checkpoint": reference.checkpoint,
            "compose": reference.compose,
            **_score(view, reference.score, reference.score_se),
        }
        for reference in view.references
    ]
    return _table(view, ("reference", "checkpoint", "compose", *_score_columns(view)), rows)


def _seeds(view: View) -> pa.Table:
    """Every setting over its seeds; empty if a run has one seed."""
    columns = (*_place_columns(view, "seed"), "seeds", "mean", "sd_over_seeds", "se_over_images")
    rows = [
        {
            **_place(view, view.cell(spread.cell_ids[0]), "seed"),
            "seeds": len(spread.seeds),
            "mean": spread.mean,
            "sd_over_seeds": spread.sd_over_seeds,
            "se_over_images": spread.se_over_images,
        }
        for spread in view.seeds
    ]
    return _table(view, columns, rows)


def _checkpoints(view: View) -> pa.Table:
    """Every setting with each checkpoint in the order of the run's list; empty if a run has one checkpoint."""
    columns = (*_place_columns(view, "seed"), "position", *_score_columns(view), *CHANGE)
    rows = [
        {
            **_place(view, view.cell(point.cell_ids[0]), "seed"),
            "position": position,
            **_score(view, point.score, point.se),
            "change": point.change,
            "change_se": point.change_se,
        }
        for over in view.by_checkpoint
        for position, point in enumerate(over.scores, 1)
    ]
    return _table(view, columns, rows)


def _curves(view: View) -> pa.Table:
    """Means of every trajectory by step."""
    measures = ("masked_left", "tokens_fixed", "mean_confidence")
    columns = ("trajectory_id", *view.varied, "gamma", "total_iter", "step", *measures)
    cells = {cell.trajectory_id: cell for cell in reversed(view.cells)}
    rows: list[Row] = []
    for curve in view.curves:
        if cell := cells.get(curve.trajectory_id):
            trajectory = {"trajectory_id": curve.trajectory_id, **_place(view, cell)}
            del trajectory["sweet_spot"]
            by_step = zip(curve.steps, *(getattr(curve, measure) for measure in measures), strict=True)
            rows += [
                {**trajectory, "step": step, **dict(zip(measures, values, strict=True))} for step, *values in by_step
            ]
    return _table(view, columns, rows)


def _schedule(view: View) -> pa.Table:
    """γ(r) of every gamma."""
    rows = [
        {"gamma": curve.gamma, "hole_tokens": curve.hole_tokens, "ratio": ratio, "masked_share": share}
        for curve in view.schedules
        for ratio, share in zip(curve.ratios, curve.masked_share, strict=True)
    ]
    return _table(view, ("gamma", "hole_tokens", "ratio", "masked_share"), rows)


def _hole_bins(view: View) -> pa.Table:
    """Means of every cell by quarters of the hole size; a measure's standard error is called <measure>_se."""
    names = ("cell_id", "hole_ratio_from", "hole_ratio_to", "n")
    columns = (*names, *(column for measure in HOLE_MEASURES for column in (measure, f"{measure}_se")))
    rows = _fields(view.hole_bins, names)
    for row, hole in zip(rows, view.hole_bins, strict=True):
        row |= {**hole.means, **{f"{measure}_se": error for measure, error in hole.se.items()}}
    return _table(view, columns, rows)


def _metrics(view: View) -> pa.Table:
    columns = ("cell_id", "features", "metric", "subset", "value", "se", "n")
    return _table(view, columns, _fields(view.metrics, columns))


def _influential(view: View) -> pa.Table:
    columns = ("cell_id", "image_id", "influence", "copy_of")
    return _table(view, columns, _fields(view.influential, columns))


def _costs(view: View) -> pa.Table:
    columns = ("stage", "checkpoint", "median_ms_per_image", "p25", "p75", "repeats")
    costs = view.record.throughput.unit_costs if view.record.throughput else ()
    return _table(view, columns, _fields(costs, columns))


def _speed_checks(view: View) -> pa.Table:
    columns = ("cell_id", "derived_images_per_s", "measured_images_per_s", "relative_error")
    checks = view.record.throughput.checks if view.record.throughput else ()
    return _table(view, columns, _fields(checks, columns))


def _warnings(view: View) -> pa.Table:
    """The caveats."""
    return _table(view, ("code", "text"), _fields(view.caveats, ("code", "text")))


TABLES: dict[str, Callable[[View], pa.Table]] = {
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
