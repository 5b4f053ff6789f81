"""What the page says beside its plots: cards of the summary, heat maps, the table of all cells, the record of the run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from bench.document.text import duration, fixed, percent, significant
from bench.report import lines
from bench.report.html.legends import ROLE_MARKS, role_mark
from bench.report.view import Grid, Headline, View
from bench.results.cells import Cell, plain, settings

MARKS = {"best of the run": "★", "best": "✓", "worst": "✗", "": ""}


@dataclass(frozen=True)
class Card:
    """One answer of the summary; row: the cell's number in the table of all cells."""

    marks: str
    titles: tuple[str, ...]
    settings: str
    score: str
    speed: str
    reason: str
    row: int


@dataclass(frozen=True)
class Entry:
    """A table's entry: its text, and the number it sorts by where it is one."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class HeatEntry:
    """A score of a heat map: its words, its mark, how near it is to the best (1) from the worst (0), in percent."""

    text: str
    mark: str
    title: str
    near: int | None


@dataclass(frozen=True)
class HeatMap:
    """gamma × sweet spot at one T."""

    title: str
    sweet_spots: tuple[int, ...]
    rows: tuple[tuple[str, tuple[HeatEntry, ...]], ...]
    speeds: tuple[str, ...]


@dataclass(frozen=True)
class TableText:
    """A table in words; right: columns of numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()


# --- summary --------------------------------------------------------------------------------------------------------


def cards(view: View) -> tuple[Card, ...]:
    """The summary's answers; where one cell answers several questions it has one card."""
    ids = list(dict.fromkeys(headline.cell_id for headline in view.headlines))
    return tuple(_card(view, cell_id) for cell_id in ids)


def _card(view: View, cell_id: str) -> Card:
    headlines = [headline for headline in view.headlines if headline.cell_id == cell_id]
    cell = view.cell(cell_id)
    return Card(
        marks="".join(ROLE_MARKS[headline.kind] for headline in headlines),
        titles=tuple(headline.title for headline in headlines),
        settings=settings(cell, view.varied),
        score=view.metric.show(cell.score, cell.score_se),
        speed=significant(cell.images_per_s),
        reason=_reason(view, cell, headlines),
        row=view.cells.index(cell) + 1,
    )


def _reason(view: View, cell: Cell, headlines: Sequence[Headline]) -> str:
    kinds, last = [headline.kind for headline in headlines], headlines[-1]
    if "best_quality" in kinds:
        return f"The lowest {view.metric.column} of {len(view.cells)} cells."
    above = f" ({lines.above_best(view, cell.cell_id)} above it)"
    gives_up = (
        "As good as the best" if last.change == 0 else f"{percent(last.change, sign=True)} against the best{above}"
    )
    faster = f"{significant(last.speedup)}× its speed"
    bend = ": the bend of the Pareto front" if "trade_off" in kinds else ""
    return f"{gives_up}, {faster}{bend}."


# --- heat maps ------------------------------------------------------------------------------------------------------


def heat_maps(view: View) -> tuple[HeatMap, ...]:
    """One heat map a gamma × sweet-spot table, coloured alike throughout the run."""
    return tuple(_heat_map(view, grid) for grid in view.grids)


def _heat_map(view: View, grid: Grid) -> HeatMap:
    rows = tuple(
        (gamma, tuple(_heat_entry(view, grid, score) for score in scores))
        for gamma, scores in zip(grid.gammas, grid.scores, strict=True)
    )
    speeds = tuple(map(significant, grid.images_per_s)) if any(grid.images_per_s) else ()
    return HeatMap(lines.grid_title(view, grid), grid.sweet_spots, rows, speeds)


def _heat_entry(view: View, grid: Grid, score: float | None) -> HeatEntry:
    role = lines.mark(view, grid, score)
    return HeatEntry("·" if score is None else view.metric.show(score), MARKS[role], role, nearness(view, score))


def nearness(view: View, score: float | None) -> int | None:
    """How near a score is to the best of the run, in percent: 100 is the best, 0 the worst.

    The root of the logarithmic distance: half-decoded cells, which are far worse, leave the good ones their shades.
    """
    known = [cell.score for cell in view.cells if cell.score is not None]
    if score is None:
        return None
    best, worst = min(known), max(known)
    if best <= 0 or best == worst:
        return 100 if score == best else 0
    return round(100 * (1 - math.sqrt(math.log(score / best) / math.log(worst / best))))


# --- the table of all cells -----------------------------------------------------------------------------------------


def cells_header(view: View) -> tuple[str, ...]:
    """Columns of the table of all cells."""
    return (
        "", "gamma", "T", "s", *view.varied, view.metric.column, "above the best", "images/s", "PSNR, dB",
        "error, / 255", "tokens right", "cell_id",
    )  # fmt: skip


def cells_rows(view: View) -> tuple[tuple[Entry, ...], ...]:
    """The table of all cells, in the order of the grid."""
    return tuple(_cell_row(view, cell) for cell in view.cells)


def cells_numbers(view: View) -> tuple[int, ...]:
    """Columns of the table of all cells that hold numbers."""
    rows = cells_rows(view)
    return tuple(i for i in range(len(rows[0])) if any(row[i].value is not None for row in rows))


def _cell_row(view: View, cell: Cell) -> tuple[Entry, ...]:
    beside = view.beside_best(cell.cell_id)
    return (
        Entry(role_mark(view, cell.cell_id)),
        Entry(cell.gamma),
        Entry(str(cell.total_iter), cell.total_iter),
        Entry(str(cell.sweet_spot), cell.sweet_spot),
        *(_setting(getattr(cell, axis)) for axis in view.varied),
        Entry(view.metric.show(cell.score, cell.score_se), cell.score),
        Entry(lines.above_best(view, cell.cell_id), beside.change if beside else None),
        Entry(significant(cell.images_per_s), cell.images_per_s),
        Entry(fixed(cell.psnr_hole_db, 2), cell.psnr_hole_db),
        Entry(fixed(cell.mae_hole, 2), cell.mae_hole),
        Entry(percent(cell.token_accuracy), cell.token_accuracy),
        Entry(cell.cell_id),
    )


def _setting(value: Any) -> Entry:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Entry(plain(value), value if is_number else None)


# --- the record -----------------------------------------------------------------------------------------------------


def checkpoints(view: View) -> TableText:
    """The models, with what identifies their weights."""
    rows = [
        (c.name, c.kind, f"{c.parameters:,}" if c.parameters is not None else "–", c.fingerprint or "–")
        for c in view.record.checkpoints
    ]
    return TableText(("checkpoint", "layout", "parameters", "fingerprint"), tuple(rows), (2,))


def features(view: View) -> TableText:
    """The extractors, with the hash of their weights."""
    rows = [(f.name, f.label, str(f.dim), "yes" if f.verified else "no", f.sha256 or "–") for f in view.record.features]
    return TableText(("features", "distance", "dimensions", "verified", "sha256 of the weights"), tuple(rows), (2,))


def facts(view: View) -> dict[str, TableText]:
    """Where, when and on what the run ran, and what all its cells share: tables by title."""
    run, data = view.record, view.record.data
    return {
        "Machine and software": _facts(run.environment),
        "Data": _facts({"test set": lines.data_line(view), **data.sources, "sha256 of images and masks": data.sha256}),
        "Time": _facts(
            {
                "started": moment(run.created),
                "finished": moment(run.finished) if run.complete else "not finished",
                **{stage: duration(seconds) for stage, seconds in run.seconds.items()},
            }
        ),
        "The same in all cells": _facts({axis: plain(value) for axis, value in view.fixed.items()}),
    }


def _facts(facts: dict[str, Any]) -> TableText:
    return TableText((), tuple((key, str(value)) for key, value in facts.items() if value is not None and value != ""))


def moment(time: str | None) -> str:
    """A time of ISO 8601 as a person writes it; any other text as it is."""
    try:
        return f"{datetime.fromisoformat(time or ''):%-d %B %Y, %H:%M %Z}"
    except ValueError:
        return time or "–"


def audit(view: View) -> dict[str, str]:
    """What the audit found, image by image, in words."""
    copies, in_training = view.audit.copies, view.audit.in_training
    found = {
        "repeat another test image": [f"{image} = {first}" for image, first in copies.items()],
        "stand in a training folder": [str(image) for image in in_training or ()],
    }
    return {f"{words}: {len(images)}": ", ".join(images) for words, images in found.items() if images}


def spec(view: View) -> list[str]:
    """What was asked for, every default included, as lines of JSON."""
    return json.dumps(view.record.spec, indent=2, ensure_ascii=False, default=str).splitlines()


def data_text(view: View, table: pa.Table) -> TableText:
    """A plot's data in words: scores with the decimals of the run, other numbers with four digits."""
    scores = (view.metric.key, f"{view.metric.key}_se")

    def word(name: str, value: Any) -> str:
        if value is None:
            return "–"
        if name in scores:
            return view.metric.show(value)
        return significant(value, 4) if isinstance(value, float) else str(value)

    numeric = tuple(i for i, field in enumerate(table.schema) if not pa.types.is_string(field.type))
    rows = tuple(tuple(word(name, value) for name, value in row.items()) for row in table.to_pylist())
    return TableText(tuple(table.column_names), rows, numeric)
