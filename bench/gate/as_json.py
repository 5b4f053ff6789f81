"""A gate as JSON, for programs: the fields of GateOutcome and CellOutcome, and values derived from them.

schema 1 · verdict "passed", "failed", "inconclusive" (with inconclusive = "exit") or "refused" · exit_code · candidate,
baseline · when refused: reason · else metric, n_images, n_distinct, rules, rules_from, same_weights, extra_cells, seconds,
caveat, cells[]. Numbers are unrounded.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.gate.document import CAVEAT

if TYPE_CHECKING:
    from bench.gate.outcome import GateOutcome, Refusal

SCHEMA = 1


def gate_content(outcome: GateOutcome) -> dict[str, Any]:
    """Contents of a gate's JSON."""
    return {
        "schema": SCHEMA,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        **asdict(outcome),
        "rules": outcome.rules.model_dump(mode="json", exclude_none=True),
        "cells": [
            {**asdict(cell), "relative": cell.relative, "excess": cell.excess, "fails": outcome.fails(cell)}
            for cell in outcome.cells
        ],
        "caveat": CAVEAT,
    }


def refusal_content(refusal: Refusal) -> dict[str, Any]:
    """Contents of the JSON of a gate without a decision."""
    return {"schema": SCHEMA, "verdict": "refused", **asdict(refusal)}
