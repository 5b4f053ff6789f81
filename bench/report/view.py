"""The view: all contents of a report, computed once from a run folder; the formats only write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.document.text import clean, number
from bench.metrics.registry import FRECHET
from bench.report.against_best import AgainstBest, Selection, against_best
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
from bench.report.confirm import Confirmation, read_confirmation
from bench.report.exact_audit import AUDIT_COLUMNS, ExactAudit, read_audit
from bench.report.grids import ScoreGrid, score_grids
from bench.report.headlines import Answer, Headline, find_answer, find_headlines
from bench.report.influential import Influence, most_influential
from bench.report.one_step import OneStep, compare_with_one_step
from bench.report.pareto import FrontPoint, front_of_cells
from bench.report.references import REFERENCE_COLUMNS, Reference, read_references, span_of
from bench.report.schedules import ScheduleCurve, schedule_curves
from bench.report.seeds import DecodingNoise, SeedSpread, decoding_noise, spread_over_seeds
from bench.results.cells import AXES, CELL_COLUMNS, Cell, Score, read_cell, read_score
from bench.results.declared import require_declared
from bench.results.folder import RunFolder, open_run
from bench.results.influences import Influences, read_influences
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from bench.results.record import RunRecord

METRIC_COLUMNS = ("cell_id", "features", "metric", "subset", "value", "se", "n")


@dataclass(frozen=True)
class MetricValue:
    """One row of metrics.parquet.

    Attributes:
        cell_id: The cell.
        features: The extractor; empty for metrics on pixels and tokens.
        metric: The metric.
        subset: "all" test images or the "clean" ones.
        value: The number.
        se: Standard error over images.
        n: Number of images.
    """

    cell_id: str
    features: str
    metric: str
    subset: str
    value: float | None
    se: float | None
    n: int


@dataclass(frozen=True)
class View:
    """A run, ready to be reported.

    Attributes:
        record: run.json.
        metric: The score.
        varied: Values by setting, for the settings other than gamma, total_iter and sweet_spot that vary in this run.
        fixed: Value by setting, for those that do not vary.
        cells: All cells, in the order of the grid; the other attributes refer to them by cell_id.
        answer: Which cell to use, in one sentence; None before any cell has a score.
        headlines: The recommended cells; empty before any cell has a score.
        grids: Scores by gamma and sweet spot.
        front: The Pareto front, fastest first.
        metrics: Every number of every cell.
        curves: Decoding by step.
        hole_bins: Quality by size of the hole.
        schedules: The mask schedules.
        caveats: Caveats, to read before quoting a number.
        references: Reference rows.
        influential: The images with the largest influence on the best cell's score, the most influential first.
        seeds: Settings over seeds, if there are several.
        decoding_noise: What the error of a difference is made of, if there are several seeds.
        by_checkpoint: Settings over checkpoints, if there are several.
        against_best: Every cell with a score, compared with the best.
        selection: The confidence set of the best cell, and the optimism of its score; None if errors are unknown.
        confirmation: Candidates for the best cell on fresh seeds, if `maskbench confirm` was run.
        one_step: The best cell compared with the cell that stops after one step, if there is one.
        audit: Exact copies in the test set.
    """

    record: RunRecord
    metric: Score
    varied: dict[str, tuple[Any, ...]]
    fixed: dict[str, Any]
    cells: tuple[Cell, ...]
    headlines: tuple[Headline, ...]
    grids: tuple[ScoreGrid, ...]
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
    selection: Selection | None = None
    one_step: OneStep | None = None
    answer: Answer | None = None
    confirmation: Confirmation | None = None
    decoding_noise: DecodingNoise | None = None
    audit: ExactAudit = field(default_factory=ExactAudit)

    def cell(self, cell_id: str) -> Cell:
        """The cell with an id."""
        return next(cell for cell in self.cells if cell.cell_id == cell_id)

    def difference_from_best(self, cell_id: str) -> AgainstBest | None:
        """A cell compared with the best one; None if it has no score."""
        return next((entry for entry in self.against_best if entry.cell_id == cell_id), None)

    @property
    def best(self) -> Cell | None:
        """The cell with the best score; None before any cell has one."""
        return self.cell(self.headlines[0].cell_id) if self.headlines else None

    @property
    def headline_cells(self) -> tuple[str, ...]:
        """Ids of the headline cells, each once."""
        return tuple(dict.fromkeys(headline.cell_id for headline in self.headlines))


def build(run: Path) -> View:
    """Read a run folder and compute all contents of its reports.

    Raises:
        InputError: The folder, run.json or a table is missing or damaged.
    """
    opened = open_run(run)
    require_declared(opened)
    record = opened.record
    table = opened.table("cells", CELL_COLUMNS)
    if table.num_rows == 0:
        raise InputError(
            f"{clean(run / 'cells.parquet')}: has no cell; the same `maskbench run` command resumes the run"
        )
    metric = read_score(table, record, run)
    cells = tuple(read_cell(row, metric.key) for row in table.to_pylist())
    varied = {axis: values for axis in AXES if len(values := _distinct(cells, axis)) > 1}
    constant = {axis: cells[0].settings[axis] for axis in AXES if axis not in varied}
    metrics = _metric_values(opened)
    influences = _influences(opened)
    best = _best(cells)
    seeds = spread_over_seeds(cells, influences)
    differences, selection = against_best(cells, best, influences) if best else ((), None)
    references = read_references(_optional(opened, "references", REFERENCE_COLUMNS), metric.features)
    headlines = find_headlines(cells, best, differences, metric, varied, span_of(references, best)) if best else ()
    images = _optional(opened, "images", IMAGE_COLUMNS)
    holes = _hole_tokens(images, cells, record)
    audit = read_audit(_optional(opened, "test_set", AUDIT_COLUMNS))
    one_step = compare_with_one_step(cells, best, differences, images, audit.copy_of) if best else None
    return View(
        record=record,
        metric=metric,
        varied=varied,
        fixed=constant,
        cells=cells,
        headlines=headlines,
        grids=score_grids(cells, varied, run),
        front=front_of_cells(cells, [(headline.kind, headline.cell_id) for headline in headlines]),
        metrics=metrics,
        curves=curves_by_step(_optional(opened, "steps", CURVE_COLUMNS), holes),
        hole_bins=quality_by_hole(images, audit.copy_of),
        schedules=() if holes.empty else schedule_curves(cells, round(holes.hole_tokens.mean())),
        caveats=caveats(record, cells, _clean_score(metrics, best, metric, audit), one_step, metric),
        audit=audit,
        references=references,
        influential=most_influential(images, best.cell_id, audit.copy_of) if best else (),
        seeds=seeds,
        decoding_noise=decoding_noise(seeds, influences),
        by_checkpoint=over_checkpoints(cells, [checkpoint.name for checkpoint in record.checkpoints], influences),
        against_best=differences,
        selection=selection,
        one_step=one_step,
        confirmation=read_confirmation(opened, cells, best) if best else None,
        answer=find_answer(cells, headlines, varied),
    )


def _metric_values(run: RunFolder) -> tuple[MetricValue, ...]:
    rows = _optional(run, "metrics", METRIC_COLUMNS).select(METRIC_COLUMNS).to_pylist()
    return tuple(MetricValue(**{**row, "value": number(row["value"]), "se": number(row["se"])}) for row in rows)


def _clean_score(
    metrics: Sequence[MetricValue], best: Cell | None, metric: Score, audit: ExactAudit
) -> CleanScore | None:
    """The best cell's score on the images that are in no training folder; None if the run has no such score."""
    rows = {
        row.cell_id: row
        for row in metrics
        if (row.features, row.metric, row.subset) == (metric.features, FRECHET, "clean") and row.value is not None
    }
    if best is None or best.cell_id not in rows:
        return None
    row = rows[best.cell_id]
    rank = 1 + sum((other.value or 0.0) < (row.value or 0.0) for other in rows.values())
    return CleanScore(metric.column, row.n, audit.distinct_clean, metric.show(row.value, row.se), rank, len(rows))


def _optional(run: RunFolder, name: str, columns: tuple[str, ...]) -> pa.Table:
    """A table that an unfinished run may still lack (then empty)."""
    if not run.complete and not (run.path / f"{name}.parquet").exists():
        return pa.table({column: [] for column in columns})
    return run.table(name, columns)


def _influences(run: RunFolder) -> Influences | None:
    """The images' influences; None if an unfinished run has none yet."""
    exist = all((run.path / f"{name}.parquet").exists() for name in ("images", "test_set"))
    return read_influences(run) if run.complete or exist else None


def _hole_tokens(images: pa.Table, cells: Sequence[Cell], record: RunRecord) -> pd.DataFrame:
    """Tokens to predict, by trajectory and image; empty if the run does not record the number of tokens per image."""
    tokens = {checkpoint.name: checkpoint.tokens for checkpoint in record.checkpoints if checkpoint.tokens}
    first = {cell.trajectory_id: cell for cell in reversed(cells) if cell.checkpoint in tokens}
    frame = hole_tokens(images, {cell.cell_id: tokens[cell.checkpoint] for cell in first.values()})
    frame["trajectory_id"] = frame.pop("cell_id").map({cell.cell_id: cell.trajectory_id for cell in first.values()})
    return frame


def _distinct(cells: Sequence[Cell], field: str) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(getattr(cell, field) for cell in cells))


def _best(cells: Sequence[Cell]) -> Cell | None:
    """The cell with the best score, the fastest among ties; None before any cell has a score."""
    scored = [cell for cell in cells if cell.score is not None]
    return min(scored, key=lambda c: (c.score, -(c.images_per_s or 0.0)), default=None)
