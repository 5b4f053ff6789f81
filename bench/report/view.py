"""The view model: everything a report shows, computed once from a run folder; every format only writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.document.text import clean, number, percent, significant
from bench.report import pareto
from bench.report.against_best import AgainstBest, against_best
from bench.report.breakdown import (
    CURVE_COLUMNS,
    IMAGE_COLUMNS,
    Curve,
    HoleBin,
    curves_by_step,
    hole_tokens,
    quality_by_hole,
)
from bench.report.caveats import Caveat, CleanScore, caveats
from bench.report.checkpoints import OverCheckpoints, over_checkpoints
from bench.report.extras import (
    AUDIT_COLUMNS,
    REFERENCE_COLUMNS,
    ExactAudit,
    Influence,
    Reference,
    most_influential,
    read_audit,
    read_references,
)
from bench.report.schedules import ScheduleCurve, schedule_curves
from bench.report.seeds import SeedSpread, spread_over_seeds
from bench.results.cells import AXES, CELL_COLUMNS, Cell, Metric, read_cell, read_metric, settings
from bench.results.folder import RunFolder, open_run
from bench.results.influences import Influences, read_influences
from bench.results.record import RunRecord
from maskgit.errors import InputError

METRIC_COLUMNS = ("cell_id", "features", "metric", "subset", "value", "se", "n")
TOLERANCE = 0.05


@dataclass(frozen=True)
class Headline:
    """One sentence of the summary and the cell it is about; kind: best_quality, tied, fast_enough, trade_off.

    change: its score relative to the best, 0.03 is 3 % worse; speedup: its speed over that of the best.
    """

    kind: str
    title: str
    cell_id: str
    sentence: str
    change: float | None = None
    speedup: float | None = None


@dataclass(frozen=True)
class Grid:
    """gamma × sweet spot at one total_iter; settings: what sets this table apart; scores[gamma][sweet spot]."""

    settings: dict[str, Any]
    total_iter: int
    gammas: tuple[str, ...]
    sweet_spots: tuple[int, ...]
    scores: tuple[tuple[float | None, ...], ...]
    images_per_s: tuple[float | None, ...]  # of each sweet spot, where every gamma runs at the same speed
    best: float | None
    worst: float | None


@dataclass(frozen=True)
class FrontPoint:
    """A cell nothing beats in both quality and speed; equal: other cells with the very same score and speed."""

    cell_id: str
    score: float
    images_per_s: float
    roles: tuple[str, ...]
    equal: tuple[str, ...]


@dataclass(frozen=True)
class MetricValue:
    """One row of metrics.parquet; subset: "all" test images or the "clean" ones; se: standard error over images."""

    cell_id: str
    features: str
    metric: str
    subset: str
    value: float | None
    se: float | None
    n: int


@dataclass(frozen=True)
class View:
    """A run, ready to be shown. Cells stand in the order of the grid; front and grids refer to them by cell_id.

    references and influential (images of the best cell, the most influential first) are empty where the run has none;
    against_best has every cell with a score.
    """

    record: RunRecord
    metric: Metric
    varied: dict[str, tuple[Any, ...]]
    fixed: dict[str, Any]
    cells: tuple[Cell, ...]
    headlines: tuple[Headline, ...]
    grids: tuple[Grid, ...]
    front: tuple[FrontPoint, ...]
    metrics: tuple[MetricValue, ...]
    curves: tuple[Curve, ...]
    hole_bins: tuple[HoleBin, ...]
    schedules: tuple[ScheduleCurve, ...]
    caveats: tuple[Caveat, ...]
    references: tuple[Reference, ...] = ()
    influential: tuple[Influence, ...] = ()
    seeds: tuple[SeedSpread, ...] = ()
    by_checkpoint: tuple[OverCheckpoints, ...] = ()
    against_best: tuple[AgainstBest, ...] = ()
    audit: ExactAudit = field(default_factory=ExactAudit)

    def cell(self, cell_id: str) -> Cell:
        """Look a cell up by its id."""
        return next(cell for cell in self.cells if cell.cell_id == cell_id)

    def beside_best(self, cell_id: str) -> AgainstBest | None:
        """A cell's distance from the best one; None where it has no score."""
        return next((one for one in self.against_best if one.cell_id == cell_id), None)

    @property
    def best(self) -> Cell | None:
        """The cell with the best score; None before any cell has one."""
        return self.cell(self.headlines[0].cell_id) if self.headlines else None


def build(run: Path) -> View:
    """Read a run folder and compute everything the reports show.

    Raises:
        InputError: the folder, run.json or a table is missing or damaged.
    """
    opened = open_run(run)
    record = opened.record
    table = opened.table("cells", CELL_COLUMNS)
    if table.num_rows == 0:
        raise InputError(
            f"{clean(run / 'cells.parquet')}: holds no cell; the same `maskbench run` command goes on from there"
        )
    metric = read_metric(table, record, run)
    cells = tuple(read_cell(row, metric.key) for row in table.to_pylist())
    varied = {axis: values for axis in AXES if len(values := _distinct(cells, axis)) > 1}
    constant = {axis: cells[0].settings[axis] for axis in AXES if axis not in varied}
    metrics = tuple(
        MetricValue(**{**row, "value": number(row["value"]), "se": number(row["se"])})
        for row in _optional(opened, "metrics", METRIC_COLUMNS).select(METRIC_COLUMNS).to_pylist()
    )
    influences = _influences(opened)
    best = _best(cells)
    beside = against_best(cells, best, influences) if best else ()
    headlines = _headlines(cells, best, beside, metric, varied) if best else ()
    images = _optional(opened, "images", IMAGE_COLUMNS)
    holes = _hole_tokens(images, cells, record)
    audit = read_audit(_optional(opened, "test_set", AUDIT_COLUMNS))
    return View(
        record=record,
        metric=metric,
        varied=varied,
        fixed=constant,
        cells=cells,
        headlines=headlines,
        grids=_grids(cells, varied, run),
        front=_front(cells, headlines),
        metrics=metrics,
        curves=curves_by_step(_optional(opened, "steps", CURVE_COLUMNS), holes),
        hole_bins=quality_by_hole(images, audit.copy_of),
        schedules=() if holes.empty else schedule_curves(_distinct(cells, "gamma"), round(holes.hole_tokens.mean())),
        caveats=caveats(record, cells, _clean_score(metrics, best, metric)),
        audit=audit,
        references=read_references(_optional(opened, "references", REFERENCE_COLUMNS), metric.features),
        influential=most_influential(images, best.cell_id, audit.copy_of) if best else (),
        seeds=spread_over_seeds(cells, influences),
        by_checkpoint=over_checkpoints(cells, [checkpoint.name for checkpoint in record.checkpoints], influences),
        against_best=beside,
    )


def _clean_score(metrics: Sequence[MetricValue], best: Cell | None, metric: Metric) -> CleanScore | None:
    """The best cell's score on the images that stand in no training folder."""
    for row in metrics:
        own = best is not None and row.cell_id == best.cell_id and row.features == metric.features
        if own and row.metric == "frechet_distance" and row.subset == "clean" and row.value is not None:
            return CleanScore(metric.column, row.n, metric.show(row.value, row.se))
    return None


def _optional(run: RunFolder, name: str, columns: tuple[str, ...]) -> pa.Table:
    """Read a table that an unfinished run need not have yet (then empty)."""
    if not run.complete and not (run.path / f"{name}.parquet").exists():
        return pa.table({column: [] for column in columns})
    return run.table(name, columns)


def _influences(run: RunFolder) -> Influences | None:
    """The images' influences; None where an unfinished run has none yet."""
    there = all((run.path / f"{name}.parquet").exists() for name in ("images", "test_set"))
    return read_influences(run) if run.complete or there else None


def _hole_tokens(images: pa.Table, cells: Sequence[Cell], record: RunRecord) -> pd.DataFrame:
    """Tokens to predict, by trajectory and image; empty where the run does not say how many tokens an image has."""
    tokens = {checkpoint.name: checkpoint.tokens for checkpoint in record.checkpoints if checkpoint.tokens}
    first = {cell.trajectory_id: cell for cell in reversed(cells) if cell.checkpoint in tokens}
    frame = hole_tokens(images, {cell.cell_id: tokens[cell.checkpoint] for cell in first.values()})
    frame["trajectory_id"] = frame.pop("cell_id").map({cell.cell_id: cell.trajectory_id for cell in first.values()})
    return frame


def _distinct(cells: Sequence[Cell], field: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(getattr(cell, field) for cell in cells))


def _best(cells: Sequence[Cell]) -> Cell | None:
    """The cell with the best score, of equal ones the fastest; None before any cell has a score."""
    scored = [cell for cell in cells if cell.score is not None]
    return min(scored, key=lambda c: (c.score, -(c.images_per_s or 0.0)), default=None)


def _headlines(
    cells: Sequence[Cell],
    best: Cell,
    beside: Sequence[AgainstBest],
    metric: Metric,
    varied: dict[str, tuple[Any, ...]],
) -> tuple[Headline, ...]:
    """Best quality; fastest that is not told from it, where errors are known; fastest within 5 %; the front's bend, if any.

    Without any speed only the first.
    """
    scored = [cell for cell in cells if cell.score is not None]

    def words(cell: Cell) -> str:
        speed = f" at {significant(cell.images_per_s)} images/s" if cell.images_per_s else ""
        return f"{metric.column} {metric.show(cell.score, cell.score_se)} with {settings(cell, varied)}{speed}"

    def against_best(kind: str, title: str, cell: Cell) -> Headline:
        assert best.score is not None and best.images_per_s and cell.score is not None and cell.images_per_s
        change = cell.score / best.score - 1 if best.score > 0 else None
        speedup = cell.images_per_s / best.images_per_s
        worse = metric.show(cell.score - best.score) if change is None else percent(change, sign=True)
        sentence = f"{words(cell)} ({worse}, {significant(speedup)}× the speed)"
        return Headline(
            kind, title, cell.cell_id, "the best cell itself" if cell is best else sentence, change, speedup
        )

    first = Headline("best_quality", "Best quality", best.cell_id, words(best))
    timed = [cell for cell in scored if cell.images_per_s]
    if not timed or not best.images_per_s:
        return (first,)
    points = [(cell.score or 0.0, cell.images_per_s or 0.0) for cell in timed]
    fast = timed[pareto.fastest_within(points, TOLERANCE)]
    found = [first]
    tied = {one.cell_id for one in beside if one.told_apart is False}
    if tied:
        fastest = max(
            (cell for cell in timed if cell.cell_id in tied), key=lambda c: (c.images_per_s, -(c.score or 0.0))
        )
        found.append(against_best("tied", "Fastest not told from the best", fastest))
    found.append(against_best("fast_enough", f"Fastest within {100 * TOLERANCE:.0f} % of the best", fast))
    front = [equal[0] for equal in pareto.pareto_front(points)]
    bend = pareto.knee([points[i] for i in front])
    if 0 < bend < len(front) - 1:  # a front without a bend has no trade-off to recommend
        found.append(against_best("trade_off", "Best trade-off", timed[front[bend]]))
    return tuple(found)


def _front(cells: Sequence[Cell], headlines: Sequence[Headline]) -> tuple[FrontPoint, ...]:
    timed = [cell for cell in cells if cell.score is not None and cell.images_per_s]
    points = [(cell.score or 0.0, cell.images_per_s or 0.0) for cell in timed]
    front = []
    for equal in pareto.pareto_front(points):
        ids = [timed[i].cell_id for i in equal]
        roles = tuple(headline.kind for headline in headlines if headline.cell_id in ids)
        front.append(FrontPoint(ids[0], *points[equal[0]], roles=roles, equal=tuple(ids[1:])))
    return tuple(front)


def _grids(cells: Sequence[Cell], varied: dict[str, tuple[Any, ...]], run: Path) -> tuple[Grid, ...]:
    """One table for each total_iter of each combination of what else varies, in the order of the cells."""
    groups: dict[tuple[Any, ...], dict[tuple[str, int], Cell]] = {}
    for cell in cells:
        place = groups.setdefault((*(getattr(cell, axis) for axis in varied), cell.total_iter), {})
        if (cell.gamma, cell.sweet_spot) in place:
            raise InputError(
                f"{clean(run / 'cells.parquet')}: cells {clean(place[cell.gamma, cell.sweet_spot].cell_id)} and"
                f" {clean(cell.cell_id)} have the same settings; run again into an empty folder"
            )
        place[cell.gamma, cell.sweet_spot] = cell
    return tuple(_grid(dict(zip(varied, key[:-1], strict=True)), key[-1], place) for key, place in groups.items())


def _grid(apart: dict[str, Any], total_iter: int, place: dict[tuple[str, int], Cell]) -> Grid:
    gammas = tuple(dict.fromkeys(gamma for gamma, _ in place))
    spots = tuple(sorted({spot for _, spot in place}))
    scores = tuple(tuple(place[g, s].score if (g, s) in place else None for s in spots) for g in gammas)
    known = [score for row in scores for score in row if score is not None]
    return Grid(
        settings=apart,
        total_iter=total_iter,
        gammas=gammas,
        sweet_spots=spots,
        scores=scores,
        images_per_s=tuple(_common_speed([place[g, s] for g in gammas if (g, s) in place]) for s in spots),
        best=min(known, default=None),
        worst=max(known) if len(set(known)) > 1 else None,
    )


def _common_speed(cells: Sequence[Cell]) -> float | None:
    """Find the speed of a column where its cells agree to 1 %."""
    speeds = [cell.images_per_s or 0.0 for cell in cells]
    return speeds[0] if min(speeds) > 0 and max(speeds) <= 1.01 * min(speeds) else None
