"""The speeds of a run: measured, or read back from its record when its tables are computed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.run.throughput import Check, Cost, UnitCosts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.grid.plan import Plan
    from bench.results.record import RunRecord


@dataclass(frozen=True)
class Speeds:
    """Unit costs by checkpoint, cells measured end to end, and the milliseconds of the machine's reference workload."""

    units: Mapping[str, UnitCosts]
    checks: Sequence[Check]
    reference_ms: float


def recorded_speeds(record: RunRecord, plan: Plan) -> Speeds | None:
    """The speeds in a record; None if it lacks some of them."""
    recorded = record.throughput
    if recorded is None or recorded.reference_ms is None:
        return None
    stages = {
        stage: {
            cost.checkpoint: Cost(cost.median_ms_per_image, cost.p25, cost.p75, cost.repeats)
            for cost in getattr(recorded, f"{stage}_ms")
        }
        for stage in ("encode", "step", "decode")
    }
    if any(checkpoint not in costs for checkpoint in plan.checkpoints for costs in stages.values()):
        return None
    units = {name: UnitCosts(**{stage: costs[name] for stage, costs in stages.items()}) for name in plan.checkpoints}
    cells = {cell.cell_id: cell for cell in plan.cells}
    checks = [
        Check(cells[check.cell_id], check.derived_images_per_s, check.measured_images_per_s)
        for check in recorded.checks
        if check.cell_id in cells
    ]
    return Speeds(units, checks, recorded.reference_ms)
