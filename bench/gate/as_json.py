"""A gate as JSON, for programs: the fields of GateOutcome and CellOutcome, and what follows from them.

schema 1 · verdict "passed", "failed" or "refused" · exit_code · candidate, baseline · when refused: reason · else metric,
n_images, n_distinct, rules, rules_from, same_weights, extra_cells, seconds, caveat, cells[]. Numbers are unrounded.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from bench.errors import EXIT_OK, EXIT_REGRESSION
from bench.gate.outcome import GateOutcome, Refusal
from bench.gate.words import CAVEAT

SCHEMA = 1


def render_json(outcome: GateOutcome) -> str:
    """Write a gate as one JSON object with a final newline."""
    content = {
        "schema": SCHEMA,
        "verdict": "failed" if outcome.failed else "passed",
        "exit_code": EXIT_REGRESSION if outcome.failed else EXIT_OK,
        **asdict(outcome),
        "rules": outcome.rules.model_dump(mode="json", exclude_none=True),
        "cells": [{**asdict(cell), "relative": cell.relative, "fails": outcome.fails(cell)} for cell in outcome.cells],
        "caveat": CAVEAT,
    }
    return _text(content)


def render_refusal(refusal: Refusal) -> str:
    """Write why there was no decision."""
    return _text({"schema": SCHEMA, "verdict": "refused", **asdict(refusal)})


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
