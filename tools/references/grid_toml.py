"""docs/grid-toml.md: every key of grid.toml with its type, default, meaning and an example."""

from __future__ import annotations

import inspect
import json
from typing import Any, get_args

from pydantic import BaseModel

from bench.grid.axes import SWEET_SPOT_DEFAULT, Axes
from bench.grid.schema import grid_schema
from bench.grid.settings import settings
from bench.grid.spec import Spec
from maskgit.rules import RULE_NAMES
from tools.references.markdown import code, page, table
from tools.references.types import words

INTRODUCTION = (
    "The input of `maskbench run` and `maskbench plan`. Paths are relative to the file. A key that accepts a list also "
    "accepts a single value; in `[model]`, `[run]` and `[grid]` a list of several values is an axis of the grid. Only "
    "`[model]` and `[data]` are required. Unknown keys and impossible values are refused before any work is done.\n\n"
    "For completion and checks in an editor, name the schema in the first line of the file: "
    "`#:schema grid.schema.json` (`maskbench schema > grid.schema.json` writes it)."
)


def grid_toml() -> str:
    """The page."""
    schema = grid_schema()
    body: list[str] = []
    for section, field in Spec.model_fields.items():
        model, heading = _model_of(field.annotation), f"[{section}]"
        if model is not field.annotation:
            heading = f"[[{section}]]"  # TOML's array of tables: the section may be given several times
        keys = schema["$defs"][model.__name__]["properties"]
        body += [f"## {heading}", "", inspect.cleandoc(model.__doc__ or ""), ""]
        rows = [
            (code(key), words(part), _default(section, key, part), part["description"], code(_example(key, part)))
            for key, part in keys.items()
        ]
        body += table(("key", "type", "default", "meaning", "example"), rows)
    return page("grid.toml", INTRODUCTION, body)


def _model_of(annotation: Any) -> type[BaseModel]:
    """The model of a section, or of the items of a section that may be given several times."""
    (model,) = (
        kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, BaseModel)
    )
    return model


def _default(section: str, key: str, part: dict[str, Any]) -> str:
    """The default in TOML; for an axis the one that decoding uses, per rule if rules differ."""
    if section == "grid" and key in Axes.model_fields:
        return _axis_default(key)
    if part.get("default") in (None, []):
        return ""
    value = part["default"]
    return code(to_toml(value[0] if isinstance(value, list) and len(value) == 1 else value))


def _axis_default(key: str) -> str:
    if key == "sweet_spot":
        return code(to_toml(SWEET_SPOT_DEFAULT))
    if key == "rule":
        return code(to_toml(RULE_NAMES[0]))
    (setting,) = (setting for setting in settings() if setting.name == key)
    by_rule = {rule: to_toml(setting.default_in(rule)) for rule in RULE_NAMES}
    if len(set(by_rule.values())) == 1:
        return code(by_rule[RULE_NAMES[0]])
    return ", ".join(f"{code(value)} in {rule}" for rule, value in by_rule.items())


def _example(key: str, part: dict[str, Any]) -> str:
    """The key's own example, or one made from its default or its choices."""
    if part.get("examples"):
        value = part["examples"][0]
    else:
        value = next((choice for choice in _choices(part)), None)
        value = part.get("default", value) if value is None else value
    if value is None:
        value = next(setting.default for setting in settings() if setting.name == key)
    return f"{key} = {to_toml(value)}"


def _choices(part: dict[str, Any]) -> list[Any]:
    """One value of each alternative that lists its values; the list of all values if a list is accepted."""
    for choice in part.get("anyOf", []):
        if "enum" in choice.get("items", {}):
            return [choice["items"]["enum"]]
    return [value for choice in [part, *part.get("anyOf", [])] for value in choice.get("enum", [])[-1:]]


def to_toml(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {to_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
