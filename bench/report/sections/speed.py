"""Speed: costs of the stages, and derived speeds compared with measured ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Section, Table
from bench.document.text import percent, significant
from bench.results.cells import settings

if TYPE_CHECKING:
    from bench.report.view import View
    from bench.results.record import Throughput


def throughput(view: View, measured: Throughput) -> Section:
    """Unit costs and end-to-end checks."""
    return Section("Throughput", speed_tables(view, measured), speed_note(measured))


def speed_note(measured: Throughput) -> str:
    """A note on the unit costs, the tile they were measured with, and the peak memory."""
    notes = ["a cell costs encode + s steps + decode"]
    if measured.tile:
        notes.append(f"tiles of {measured.tile}")
    if measured.peak_memory_mb:
        notes.append(f"peak memory {measured.peak_memory_mb:.0f} MB")
    return " · ".join(notes)


def speed_tables(view: View, measured: Throughput) -> tuple[Table, ...]:
    """Cost per image of the stages; then the cells measured end to end, if any."""
    return (_costs(measured), _checks(view, measured)) if measured.checks else (_costs(measured),)


def _costs(measured: Throughput) -> Table:
    rows = [
        (
            cost.stage,
            significant(cost.median_ms_per_image),
            f"{significant(cost.p25)}–{significant(cost.p75)}",
            str(cost.repeats),
            cost.checkpoint,
        )
        for cost in measured.unit_costs
    ]
    return Table(("stage", "ms per image", "quartiles", "repeats", "checkpoint"), tuple(rows), (1, 2, 3))


def _checks(view: View, measured: Throughput) -> Table:
    names = {cell.cell_id: settings(cell, view.varied) for cell in view.cells}
    rows = [
        (
            names.get(check.cell_id, check.cell_id),
            significant(check.derived_images_per_s),
            significant(check.measured_images_per_s),
            percent(check.relative_error, sign=True),
        )
        for check in measured.checks
    ]
    return Table(("measured end to end", "derived images/s", "measured", "error"), tuple(rows), (1, 2, 3))
