"""Types of the values of `grid.toml`, and their checks."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def as_list(value: Any) -> Any:
    """The value as a list; a scalar becomes a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def as_list_if_any(value: Any) -> Any:
    """The value as a list; a scalar becomes a list of one, None an empty list."""
    return () if value is None else as_list(value)


def without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, after a check that no two are equal."""
    if len(set(values)) != len(values):
        raise ValueError("a value appears twice in the list; name each once")
    return values


V = TypeVar("V")
ListOf = Annotated[tuple[V, ...], BeforeValidator(as_list), Field(min_length=1)]
"""One value or more; a scalar becomes a list of one."""
Flag = Annotated[bool, Field(strict=True)]
Integer = Annotated[int, Field(strict=True)]
Positive = Annotated[int, Field(ge=1, strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
AboveZero = Annotated[Number, Field(gt=0)]
ZeroOrMore = Annotated[Number, Field(ge=0)]


class Section(BaseModel):
    """A table of the TOML file: immutable; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
