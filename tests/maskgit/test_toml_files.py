"""TOML files: what editors on other systems write is read, and every mistake is one line with its remedy."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import pytest

from maskgit.errors import InputError
from maskgit.toml_files import read_toml

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '[data]\nmasks = "遮罩 64"\ncount = 3\n'
CONTENT = {"data": {"masks": "遮罩 64", "count": 3}}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_encodings_and_line_ends_of_other_systems_are_read(
    mark: bytes, encoding: str, line_end: str, tmp_path: Path
) -> None:
    path = tmp_path / "grid.toml"
    path.write_bytes(mark + TEXT.replace("\n", line_end).encode(encoding))
    assert read_toml(path, "a grid.toml") == CONTENT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (r'x = "C:\Users\me"', "write paths with / or in 'single quotes'"),
        (r'x = "C:\data"', "write paths with / or in 'single quotes'"),
        (r'x = "C:\new\table"', "write paths with / or in 'single quotes'"),
        (r"[a]" + "\n" + r'b = ["ok", "a\u0000b"]', "a.b: 'a\\x00b' holds a control character"),
        ("x = " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("x = " + "9" * 5000, "too many digits"),
        ("x == 1", "at line 1"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_toml(path, "a grid.toml")
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message


def test_single_quotes_and_slashes_hold_a_windows_path(tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text("a = 'C:\\Users\\new'\nb = \"C:/Users/new\"\n")
    assert read_toml(path, "a grid.toml") == {"a": r"C:\Users\new", "b": "C:/Users/new"}


def test_files_that_are_no_text_or_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes("x = 'é'".encode("latin-1"))
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_toml(tmp_path / "latin.toml", "a grid.toml")
    with pytest.raises(InputError, match="give the path of a grid"):
        read_toml(tmp_path / "none.toml", "a grid.toml")
