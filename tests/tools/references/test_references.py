"""The references match the current code, and describe every key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter
from typer.testing import CliRunner

from bench.cli import app
from bench.grid.axes import Axes
from bench.grid.schema import grid_schema
from bench.grid.spec import Spec
from bench.results.schema import schemas
from tools.references.__main__ import REFERENCES, ROOT, main, stale
from tools.references.grid_toml import grid_toml, to_toml
from tools.references.types import words

KEYS = [
    (section, key, model)
    for section, model in ((name, field.annotation) for name, field in Spec.model_fields.items())
    if isinstance(model, type) and issubclass(model, BaseModel)
    for key in model.model_fields
]


def test_all_of_them_are_current() -> None:
    assert stale() == [], "run python -m tools.references"
    assert main(["--check"]) == 0


def test_a_stale_one_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(REFERENCES, "docs/cli.md", lambda: "other")
    assert main(["--check"]) == 1
    assert "docs/cli.md is not current" in capsys.readouterr().err


def test_the_schema_command_prints_the_committed_schema() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((ROOT / "grid.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("section", "key", "model"), KEYS, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_every_key_is_described_with_a_valid_example(section: str, key: str, model: type[BaseModel]) -> None:
    field = model.model_fields[key]
    assert (field.description or "").endswith("."), f"{section}.{key}"
    page = grid_toml()
    (body,) = [part for part in page.split("\n## ") if part.startswith(f"[{section}]")]
    (row,) = [line for line in body.splitlines() if line.startswith(f"| `{key}` |")]
    example = tomllib.loads(row.rsplit("| `", 1)[1].removesuffix("` |"))
    checked: Any = TypeAdapter(Annotated[field.annotation, Field(), *field.metadata])  # type: ignore[name-defined]
    checked.validate_python(example[key])


def test_the_schema_has_the_keys_of_the_spec_and_takes_single_values() -> None:
    schema = grid_schema()
    assert set(schema["properties"]) == set(Spec.model_fields)
    assert schema["required"] == ["model", "data"]
    axes = schema["$defs"]["Axes"]["properties"]
    assert set(axes) == set(Axes.model_fields)
    single, several = axes["total_iter"]["anyOf"]
    assert single["type"] == "integer"
    assert single["minimum"] == 1
    assert several == {"type": "array", "items": single, "minItems": 1}
    text = json.dumps(schema)
    assert '"null"' not in text
    assert '"minLength"' not in text


@pytest.mark.parametrize("label", ["FID", "FD"])
def test_every_column_of_every_table_is_described(label: str) -> None:
    for name, columns in schemas(label).items():
        for column in columns:
            meaning = (column.metadata or {}).get(b"description", b"").decode()
            assert meaning.endswith("."), f"{name}.{column.name}"


def test_values_are_written_as_toml_reads_them() -> None:
    for value in (1, 0.5, True, 'a "b"', ["x", 2], {"gamma": "cosine", "seeds": [1]}):
        assert tomllib.loads(f"key = {to_toml(value)}") == {"key": value}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "integer", "minimum": 1}, "integer ≥ 1"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number > 0 and < 1"),
        ({"enum": ["a", "b"], "type": "string"}, '`"a"` or `"b"`'),
        ({"format": "path", "type": "string"}, "path"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "text, or a list"),
        ({"type": "array", "prefixItems": [{"type": "number"}] * 3}, "list of 3: number"),
        ({"type": "array", "items": {"$ref": "#/$defs/Axes"}}, "list of table as Axes"),
    ],
)
def test_types_are_told_in_words(part: dict[str, Any], expected: str) -> None:
    assert words(part) == expected


def test_every_committed_grid_is_within_the_keys_of_the_schema() -> None:
    sections = grid_schema()["$defs"]
    files = [*ROOT.glob("*.toml"), *ROOT.glob("results/*.toml"), *ROOT.glob("examples/*/grid.toml")]
    grids = {path: tomllib.loads(path.read_text(encoding="utf-8")) for path in files if path.name != "pyproject.toml"}
    assert grids
    for path, grid in grids.items():
        for section, content in grid.items():
            model = Spec.model_fields[section].annotation
            assert isinstance(model, type)
            assert set(content) <= set(sections[model.__name__]["properties"]), Path(path).name
