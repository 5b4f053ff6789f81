"""The JSON schema of grid.toml, for editors and for the reference in docs/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from bench.grid.spec import Spec
from bench.grid.types import as_list, as_list_if_any

if TYPE_CHECKING:
    from pydantic_core import core_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _GridSchema(GenerateJsonSchema):
    """Schema generator in which a key that takes a list also takes a single value."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        listed = super().function_before_schema(schema)
        if schema["function"]["function"] not in (as_list, as_list_if_any):
            return listed
        return {"anyOf": [listed.get("items", {}), listed]}


def grid_schema() -> dict[str, Any]:
    """The schema of a whole file, draft 2020-12; checks across several keys are left to `maskbench plan`."""
    return {"$schema": DIALECT, "title": "grid.toml", **_tidied(Spec.model_json_schema(schema_generator=_GridSchema))}


def _tidied(part: Any) -> Any:
    """The schema for TOML: without null and generated titles, with flat alternatives and lists that are not empty."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    tidy = {key: _tidied(value) for key, value in part.items() if not _is_redundant(key, value)}
    if "anyOf" in tidy:
        choices = _flat(tidy.pop("anyOf"))
        if tidy.pop("minLength", 0):  # pydantic writes minLength for a tuple that may also be a single value
            choices = [{**choice, "minItems": 1} if choice.get("type") == "array" else choice for choice in choices]
        tidy = {**choices[0], **tidy} if len(choices) == 1 else {"anyOf": choices, **tidy}
    return tidy


def _is_redundant(key: str, value: Any) -> bool:
    """True for titles generated from the key, and for defaults that are null or whole sections."""
    return (key == "title" and isinstance(value, str)) or (
        key == "default" and (value is None or isinstance(value, dict))
    )


def _flat(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nested alternatives as one list, without repeats and null."""
    flat: list[dict[str, Any]] = []
    for choice in choices:
        flat += _flat(choice["anyOf"]) if set(choice) == {"anyOf"} else [choice]
    return [choice for n, choice in enumerate(flat) if choice != {"type": "null"} and choice not in flat[:n]]
