"""Types of a JSON schema in words."""

from __future__ import annotations

import json
from typing import Any

BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
NAMES = {"string": "text", "boolean": "true or false", "object": "table", "null": "null"}


def words(part: dict[str, Any]) -> str:
    """A type in words: `integer ≥ 1, or a list`."""
    if "anyOf" in part:
        return _alternatives(part["anyOf"])
    if "$ref" in part:
        return f"table as {part['$ref'].rpartition('/')[2]}"
    if "const" in part or "enum" in part:
        return " or ".join(f"`{json.dumps(value)}`" for value in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        if "prefixItems" in part:
            return f"list of {len(part['prefixItems'])}: {words(part['prefixItems'][0])}"
        return f"list of {words(part.get('items', {}))}"
    if part.get("type") == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"table of {words(part['additionalProperties'])}"
    name = "path" if part.get("format") == "path" else str(part.get("type", "any"))
    bounds = [f"{sign} {part[key]:g}" for key, sign in BOUNDS.items() if key in part]
    return " ".join([NAMES.get(name, name), " and ".join(bounds)]).strip()


def _alternatives(choices: list[dict[str, Any]]) -> str:
    """Alternatives joined by "or"; a list of values that are also accepted alone is `or a list`."""
    single = [words(choice) for choice in choices if choice.get("type") != "array"]
    lists = [choice for choice in choices if choice.get("type") == "array"]
    if "number" in single and "integer" in single:
        single.remove("integer")
    items = [words(choice.get("items", {})) for choice in lists]
    tail = ["a list" if item in (*single, " or ".join(single)) or single else f"list of {item}" for item in items]
    return " or ".join(single) + (", or " if single and tail else "") + " or ".join(tail)
