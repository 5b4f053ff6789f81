"""Publishing: every format to a file and to standard output, and refusals."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.document.json import to_json
from bench.document.model import Document, Facts
from bench.document.output import FORMATS, publish
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = Document("a title", (Facts((("name", "some value"),)),))


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_holds_what_standard_output_gets(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    publish(format, lambda: SHOWN, lambda: {"name": "some value"}, tmp_path / "report")
    publish(format, lambda: SHOWN, lambda: {"name": "some value"})
    assert (tmp_path / "report").read_text(encoding="utf-8") == capsys.readouterr().out
    assert "some value" in (tmp_path / "report").read_text(encoding="utf-8")


def test_only_what_is_asked_for_is_made(tmp_path: Path) -> None:
    publish("json", lambda: pytest.fail("a document"), dict, tmp_path / "json")
    publish("markdown", lambda: SHOWN, lambda: pytest.fail("content"), tmp_path / "markdown")


def test_an_unknown_format_and_a_bad_output_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--format pdf: unknown; choose one of rich, markdown, json"):
        publish("pdf\x1b[31m", lambda: SHOWN, dict)
    with pytest.raises(InputError, match="a folder; name a file"):
        publish("json", lambda: SHOWN, dict, tmp_path)


def test_json_has_no_nan_and_only_ascii() -> None:
    text = to_json({"é": [math.nan, math.inf, (1.5, None)]})
    assert text.isascii()
    assert text.endswith("\n")
    assert json.loads(text) == {"é": [None, None, [1.5, None]]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_is_what_python_reads_back(content: Any) -> None:
    assert json.loads(to_json(content)) == content


def test_json_has_one_line_per_leaf() -> None:
    text = to_json({"name": "a", "rows": [{"x": 1, "y": 2}, {"x": 3, "y": 4}], "ratios": [0.1, 0.2]})
    assert [line.strip() for line in text.splitlines()] == [
        "{", '"name": "a",', '"rows": [', '{"x": 1, "y": 2},', '{"x": 3, "y": 4}', "],", '"ratios": [0.1, 0.2]', "}",
    ]  # fmt: skip
