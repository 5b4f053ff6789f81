"""Parts that only the page has: the cards of the summary, the table of all cells, the record of the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench.document.model import Facts, Table
from bench.document.text import duration, fixed, percent, significant
from bench.report.html.legends import role_mark
from bench.report.sections.scores import above_best
from bench.report.sections.summary import data_line
from bench.results.cells import Cell, plain, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report.headlines import Headline
    from bench.report.view import View


@dataclass(frozen=True)
class Card:
    """One card of the summary; row: the number of the cell in the table of all cells."""

    marks: str
    titles: tuple[str, ...]
    settings: str
    score: str
    speed: str
    reason: str
    row: int


@dataclass(frozen=True)
class Entry:
    """An entry of the table of all cells: its text, and the number it sorts by, if any."""

    text: str
    value: float | None = None


# --- summary --------------------------------------------------------------------------------------------------------


def cards(view: View) -> tuple[Card, ...]:
    """The summary's cards; a cell in several headlines has one card."""
    return tuple(_card(view, cell_id) for cell_id in view.headline_cells)


def _card(view: View, cell_id: str) -> Card:
    headlines = [headline for headline in view.headlines if headline.cell_id == cell_id]
    cell = view.cell(cell_id)
    return Card(
        marks=role_mark(view, cell_id),
        titles=tuple(headline.title for headline in headlines),
        settings=settings(cell, view.varied),
        score=view.metric.show(cell.score, cell.score_se),
        speed=significant(cell.images_per_s),
        reason=_reason(view, headlines),
        row=_best_first(view).index(cell) + 1,
    )


def _reason(view: View, headlines: Sequence[Headline]) -> str:
    kinds, last = [headline.kind for headline in headlines], headlines[-1]
    if "best_quality" in kinds:
        return f"The lowest {view.metric.column} of {len(view.cells)} cells."
    bend = ": the bend of the Pareto front" if "trade_off" in kinds else ""
    return f"{last.comparison[:1].upper()}{last.comparison[1:]}{bend}."


# --- the table of all cells -----------------------------------------------------------------------------------------


def cells_header(view: View) -> tuple[str, ...]:
    """Columns of the table of all cells."""
    return (
        "", "gamma", "T", "s", *view.varied, view.metric.column, "above the best", "images/s", "PSNR, dB",
        "MAE, / 255", "token accuracy", "cell_id",
    )  # fmt: skip


def cells_rows(view: View) -> tuple[tuple[Entry, ...], ...]:
    """The table of all cells, the best score first."""
    return tuple(_cell_row(view, cell) for cell in _best_first(view))


def _best_first(view: View) -> list[Cell]:
    """All cells by score; those without one are last."""
    return sorted(view.cells, key=lambda cell: inf if cell.score is None else cell.score)


def cells_numbers(view: View) -> tuple[int, ...]:
    """Columns of the table of all cells that hold numbers."""
    rows = cells_rows(view)
    return tuple(i for i in range(len(rows[0])) if any(row[i].value is not None for row in rows))


def _cell_row(view: View, cell: Cell) -> tuple[Entry, ...]:
    difference = view.difference_from_best(cell.cell_id)
    return (
        Entry(role_mark(view, cell.cell_id)),
        Entry(cell.gamma),
        Entry(str(cell.total_iter), cell.total_iter),
        Entry(str(cell.sweet_spot), cell.sweet_spot),
        *(_setting(cell.settings[axis]) for axis in view.varied),
        Entry(view.metric.show(cell.score, cell.score_se), cell.score),
        Entry(above_best(view, cell.cell_id), difference.change if difference else None),
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


def checkpoints(view: View) -> Table:
    """The models, with what identifies their weights."""
    rows = [
        (c.name, c.kind, f"{c.parameters:,}" if c.parameters is not None else "–", c.fingerprint or "–")
        for c in view.record.checkpoints
    ]
    return Table(("checkpoint", "layout", "parameters", "fingerprint"), tuple(rows), (2,))


def features(view: View) -> Table:
    """The extractors, with the hashes of their weights."""
    rows = [(f.name, f.label, str(f.dim), "yes" if f.verified else "no", f.sha256 or "–") for f in view.record.features]
    return Table(("features", "distance", "dimensions", "verified", "sha256 of the weights"), tuple(rows), (2,))


def facts(view: View) -> dict[str, Facts]:
    """Machine, data and times of the run, and the settings that all its cells share, by title."""
    run, data = view.record, view.record.data
    return {
        "Machine and software": _facts(run.environment),
        "Data": _facts({"test set": data_line(view), **data.sources, "sha256 of images and masks": data.sha256}),
        "Time": _facts(
            {
                "started": moment(run.created),
                "finished": moment(run.finished) if run.complete else "not finished",
                **{stage: duration(seconds) for stage, seconds in run.seconds.items()},
            }
        ),
        "The same in all cells": _facts({axis: plain(value) for axis, value in view.fixed.items()}),
    }


def _facts(facts: dict[str, Any]) -> Facts:
    return Facts(tuple((key, str(value)) for key, value in facts.items() if value is not None and value != ""))


def moment(time: str | None) -> str:
    """An ISO 8601 time in readable form; any other text unchanged."""
    try:
        return f"{datetime.fromisoformat(time or ''):%-d %B %Y, %H:%M %Z}"
    except ValueError:
        return time or "–"


def audit(view: View) -> dict[str, str]:
    """The images that the audit found, by kind of finding."""
    copies, in_training = view.audit.copies, view.audit.in_training
    findings = {
        "repeat another test image": [f"{image} = {first}" for image, first in copies.items()],
        "are in a training folder": [str(image) for image in in_training or ()],
    }
    return {f"{finding}: {len(images)}": ", ".join(images) for finding, images in findings.items() if images}


def spec(view: View) -> list[str]:
    """The spec with every default, as lines of JSON."""
    return json.dumps(view.record.spec, indent=2, ensure_ascii=False, default=str).splitlines()


def data_table(view: View, table: pa.Table) -> Table:
    """The data of a plot as text: scores with the run's decimals, other numbers with four digits."""
    scores = (view.metric.key, f"{view.metric.key}_se")

    def as_text(name: str, value: Any) -> str:
        if value is None:
            return "–"
        if name in scores:
            return view.metric.show(value)
        return significant(value, 4) if isinstance(value, float) else str(value)

    numeric = tuple(i for i, field in enumerate(table.schema) if not pa.types.is_string(field.type))
    rows = tuple(tuple(as_text(name, value) for name, value in row.items()) for row in table.to_pylist())
    return Table(tuple(table.column_names), rows, numeric)
