"""docs/json.md: the keys of run.json and of all JSON output of the commands."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
from pydantic import BaseModel

from bench.fid import report as fid_report
from bench.fid.compare import Comparison
from bench.gate import as_json as gate_json
from bench.gate.outcome import GateOutcome
from bench.listing import runs as runs_list
from bench.listing import stores as stores_list
from bench.report import as_json as report_json
from bench.report import audit as audit_report
from bench.report import plan as plan_report
from bench.report.compare import as_json as compare_json
from bench.report.compare.view import ComparisonView
from bench.report.view import View
from bench.results import record
from bench.results.record import RunRecord
from bench.run import doctor
from bench.run.doctor import Health
from bench.verify import document as verification
from tools.references.markdown import code, page, table


@dataclass(frozen=True)
class Document:
    """A JSON document: its heading, the module that writes and explains it, and its type."""

    heading: str
    module: ModuleType
    root: type | None


DOCUMENTS = (
    Document("run.json", record, RunRecord),
    Document("maskbench report RUN --format json", report_json, View),
    Document("maskbench compare RUN RUN --format json", compare_json, ComparisonView),
    Document("maskbench gate RUN --baseline BASE --format json", gate_json, GateOutcome),
    Document("maskbench fid A B --json", fid_report, Comparison),
    Document("maskbench audit TEST --json", audit_report, None),
    Document("maskbench plan GRID.toml --json", plan_report, None),
    Document("maskbench ls FOLDER --json", runs_list, None),
    Document("maskbench store ls FOLDER --json", stores_list, None),
    Document("maskbench verify RUN --json", verification, None),
    Document("maskbench doctor --json", doctor, Health),
)
INTRODUCTION = (
    "Within a schema version keys are only added, and keep their names and meanings. Numbers are unrounded; missing ones are "
    "null. The JSON lines that show the progress of a run are [described separately](json-logs.md). `maskbench schema` "
    "prints the JSON schema of grid.toml."
)
NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "text",
    Any: "any",
    type(None): "null",
}


def json_output() -> str:
    """The page."""
    body: list[str] = []
    seen: set[type] = set()
    for document in DOCUMENTS:
        body += [f"## {document.heading}", "", *_docstring(document.module.__doc__ or ""), ""]
        for kind in _types(document.root, seen) if document.root else ():
            body += [f"### {kind.__name__}", "", _summary(kind), "", *_keys(kind)]
    return page("JSON", INTRODUCTION, body)


def _docstring(text: str) -> list[str]:
    """The first paragraph as text, and the others, which have a manual layout, unchanged."""
    first, _, rest = inspect.cleandoc(text).partition("\n\n")
    return [first, *(["", "```text", rest, "```"] if rest else [])]


def _types(root: type, seen: set[type]) -> Iterator[type]:
    """A type and the types of its keys, each described once on the whole page."""
    if root in seen:
        return
    seen.add(root)
    yield root
    for hint in _hints(root).values():
        for inner in _inner(hint):
            yield from _types(inner, seen)


def _inner(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, BaseModel)):
        yield hint
    for part in typing.get_args(hint):
        yield from _inner(part)


@cache
def _every_name() -> dict[str, Any]:
    """Names that annotations may use although their module imports them only for type checkers."""
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("bench", "maskgit")]
    names = {name: value for module in ours for name, value in vars(module).items()}
    return {**names, **vars(collections.abc), "Path": Path, "Any": Any, "np": numpy}


def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, {**_every_name(), **vars(sys.modules[kind.__module__])})
    if issubclass(kind, BaseModel):
        return {field.alias or name: hints[name] for name, field in kind.model_fields.items()}
    assert dataclasses.is_dataclass(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _keys(kind: type) -> list[str]:
    """The table of a type's keys, without the column of meanings if no key has one."""
    meanings = _meanings(kind)
    rows = [(code(name), _words(hint), meanings.get(name, "")) for name, hint in _hints(kind).items()]
    width = 3 if any(meanings.values()) else 2
    return table(("key", "type", "meaning")[:width], [row[:width] for row in rows])


def _meanings(kind: type) -> dict[str, str]:
    """Meanings by key: a model's descriptions, or the "Attributes" of a docstring."""
    if issubclass(kind, BaseModel):
        return {field.alias or name: field.description or "" for name, field in kind.model_fields.items()}
    _, _, attributes = inspect.getdoc(kind).partition("Attributes:\n")  # type: ignore[union-attr]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", attributes, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _summary(kind: type) -> str:
    text, _, _ = (inspect.getdoc(kind) or "").partition("\n\nAttributes:")
    return text.replace("\n\n", "\n").strip()


def _words(hint: Any) -> str:
    """A type in the terms of JSON."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _words(parts[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(part) for part in parts))
    if origin is typing.Literal:
        return " or ".join(code(repr(part).replace("'", '"')) for part in parts)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {_words(parts[1])}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        items = dict.fromkeys(_words(part) for part in parts if part is not Ellipsis)
        return f"list of {' or '.join(items)}"
    return NAMES.get(hint, getattr(hint, "__name__", str(hint)))
