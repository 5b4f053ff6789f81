"""The spec, a whole `grid.toml`: loading, overrides, resolution of paths, and messages about mistakes."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError, field_validator

from bench.grid.axes import Axes, GridSection
from bench.grid.inputs import DataSection, ExternalSection, ModelSection
from bench.grid.sections import UNNAMED, ExecutionSection, GateSection, MetricsSection, RunSection, ThroughputSection
from bench.grid.types import Section, without_repeats
from maskgit.errors import InputError
from maskgit.toml_files import read_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Spec(Section):
    """A whole `grid.toml`."""

    run: RunSection = RunSection()
    model: ModelSection
    data: DataSection
    grid: GridSection = GridSection()
    metrics: MetricsSection = MetricsSection()
    throughput: ThroughputSection = ThroughputSection()
    execution: ExecutionSection = ExecutionSection()
    gate: GateSection = GateSection()
    external: tuple[ExternalSection, ...] = ()

    @field_validator("external")
    @classmethod
    def _names_differ(cls, external: tuple[ExternalSection, ...]) -> tuple[ExternalSection, ...]:
        without_repeats(tuple(entry.name for entry in external))
        return external


PATH_KEYS = {
    "data": ("ground_truth", "masks", "masked_images", "train"),
    "metrics": ("weights",),
    "execution": ("store",),
}


@dataclass(frozen=True)
class Override:
    """A value that replaces the file's.

    Attributes:
        keys: Path of sections and key.
        value: The value.
        option: The command-line option that gave the value, for messages.
    """

    keys: tuple[str, ...]
    value: Any
    option: str


def load_spec(path: Path, overrides: Sequence[Override] = ()) -> Spec:
    """Read a `grid.toml`. Paths stay as written: relative to the file's folder, until `with_paths_from` resolves them.

    A run without a name has that of the file.

    Args:
        path: The TOML file.
        overrides: Values that replace those of the file; of several for one key, the last counts.

    Raises:
        InputError: The file cannot be read, is not TOML, or has an impossible value; the message names file and key.
    """
    raw = read_toml(path, "a grid.toml")
    for override in overrides:
        _replace(raw, override.keys, override.value)
    if isinstance(raw.setdefault("run", {}), dict):
        raw["run"].setdefault("name", _name_of(path))
    return parse_spec(raw, str(path), overrides)


def _name_of(path: Path) -> str:
    """The name of a run that has none: that of its file, with a hyphen for every character that a name cannot have."""
    name = re.sub(r"[^\w.-]", "-", path.resolve().stem)
    return name if name.strip(".") else UNNAMED


def parse_override(text: str) -> Override:
    """Parse `section.key=value`; the value is TOML, or plain text if it is not valid TOML.

    Raises:
        InputError: The text has a different form.
    """
    dotted, equals, written = text.partition("=")
    keys = tuple(key.strip() for key in dotted.split("."))
    if not equals or len(keys) < 2 or not all(keys):
        raise InputError(f"--set {text}: not of the form section.key=value, for example grid.total_iter=[8,12]")
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        value = written.strip()
    return Override(keys, value, f"--set {dotted.strip()}")


def _replace(raw: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Put a value into nested tables; if a section is not a table, the check of the whole spec reports it."""
    *sections, last = keys
    table: Any = raw
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            return
    table[last] = value


def with_paths_from(spec: Spec, base: Path) -> Spec:
    """The spec with relative paths resolved against `base`, except those of checkpoints, which `locate` resolves."""

    def resolve(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(resolve(item) for item in value)
        try:
            return base / value.expanduser() if value is not None else None
        except RuntimeError:
            raise InputError(f"{value}: no such user; write the path without ~") from None

    sections = {}
    for name, keys in PATH_KEYS.items():
        section = getattr(spec, name)
        sections[name] = section.model_copy(update={key: resolve(getattr(section, key)) for key in keys})
    external = tuple(entry.model_copy(update={"images": resolve(entry.images)}) for entry in spec.external)
    return spec.model_copy(update={**sections, "external": external})


def parse_spec(raw: dict[str, Any], source: str, overrides: Sequence[Override] = ()) -> Spec:
    """Parse and check a dictionary of sections; `source` names it in messages.

    The message about a wrong value from `overrides` names the option instead.

    Raises:
        InputError: One line for the first mistake, naming source and key.
    """
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        location = error.errors()[0]["loc"]
        given = [override.option for override in overrides if override.keys == location[: len(override.keys)]]
        raise InputError(f"{given[0] if given else source}: {_first_line(error)}") from None
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _first_line(error: ValidationError) -> str:
    """One line on the first mistake: dotted key, description, and the closest known key if the key is unknown."""
    first, *rest = error.errors()
    key = ".".join(
        str(part) for part in first["loc"] if part not in ("tuple", "literal", "Axes") and "[" not in str(part)
    )
    more = f" (and {len(rest)} more)" if rest else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        return f"{key}: unknown key; {hint}{more}"
    if first["type"] == "missing":
        return f"{key}: missing; the section or key is required{more}"
    return f"{key or 'the file'}: {first['msg'].removeprefix('Value error, ')}, got {first['input']!r:.80}{more}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Known keys of the section in which an error is located."""
    section: type[BaseModel] = Spec
    for part in location:
        if isinstance(part, str) and part in section.model_fields:
            annotation = section.model_fields[part].annotation
            section = Axes if part in ("include", "exclude", "cells") else annotation  # type: ignore[assignment]
    return list(section.model_fields)
