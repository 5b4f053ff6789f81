"""Reports as JSON: one way to write them, whatever they hold."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(content: Any) -> str:
    """JSON in ASCII, indented, with a final newline; NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
