"""TOML files as users write them: with a byte-order mark, Windows line ends and Windows paths."""

from __future__ import annotations

import codecs
import re
import tomllib
import unicodedata
from typing import TYPE_CHECKING, Any

from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_ENCODINGS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_BACKSLASH = "in double quotes a backslash starts an escape: write paths with / or in 'single quotes'"
_STRING_WITH_BACKSLASH = re.compile(r'"[^"]*\\[^"]*')


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a TOML file in UTF-8, with or without a byte-order mark, or in UTF-16 with one.

    Args:
        path: The file.
        what: Expected kind of file, for messages ("a grid.toml").

    Raises:
        InputError: The file cannot be read, is not TOML, is nested too deeply, or a string in it holds a control
            character, as a Windows path in double quotes does once an escape in it became a tab.
    """
    text = _text(path, what)
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: not valid TOML: brackets are nested too deeply; give {what}") from None
    except ValueError as error:  # TOMLDecodeError, or an int of thousands of digits
        raise InputError(f"{path}: not valid TOML: {_reason(error, text)}") from None
    for key, value in content.items():
        _refuse_control_characters(path, key, value)
    return content


def _text(path: Path, what: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of {what}") from None
    try:
        text = data.decode(_ENCODINGS.get(data[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error.reason} at byte {error.start}; save it as UTF-8") from None
    return text.replace("\r\n", "\n")


def _reason(error: ValueError, text: str) -> str:
    """Describe the error in one line, with the usual remedy if a string of that line has a backslash."""
    reason = str(error)
    if not isinstance(error, tomllib.TOMLDecodeError):
        return f"a number has too many digits ({reason.partition(';')[0]})"
    place = re.search(r"at line (\d+)", reason)
    lines = text.split("\n")
    line = lines[int(place[1]) - 1] if place and int(place[1]) <= len(lines) else ""
    return f"{reason}; {_BACKSLASH}" if _STRING_WITH_BACKSLASH.search(line) else reason


def _refuse_control_characters(path: Path, key: str, value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_control_characters(path, f"{key}.{name}", inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_control_characters(path, key, inner)
    elif isinstance(value, str) and any(unicodedata.category(character) == "Cc" for character in value):
        raise InputError(f"{path}: {key}: {value!r:.80} holds a control character; {_BACKSLASH}")
