"""The JSON writer of all reports."""

from __future__ import annotations

import json
import math
from typing import Any

INDENT = "  "


def to_json(content: Any) -> str:
    """JSON in ASCII with a final newline.

    An object or list without nested objects or lists is on one line; all others are indented. NaN and infinity, which JSON
    does not have, become null.
    """
    return _text(_finite(content), "") + "\n"


def _text(value: Any, margin: str) -> str:
    inner = margin + INDENT
    if isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values()):
        lines = [f"{inner}{json.dumps(str(key))}: {_text(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(f"{inner}{_text(item, inner)}" for item in value) + f"\n{margin}]"
    return json.dumps(value, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
