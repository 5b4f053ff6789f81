"""Safe text and number formats."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from bench.document.scatter import BARS
from bench.document.text import clean, significant, to_ascii


@given(st.floats(-1e9, 1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-9))
def test_significant_keeps_three_digits(value: float) -> None:
    text = significant(value)
    assert "e" not in text
    assert math.isclose(float(text), value, rel_tol=0.005, abs_tol=0)


@given(st.text())
def test_clean_text_has_no_control_character(text: str) -> None:
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2028\u2066" for c in clean(text))


def test_escape_sequences_vanish_whole() -> None:
    assert clean("a\x1b[1;31mb\x1b]8;;http://x\x07c\x1b]8;;\x1b\\d\x1bce\x9b31mf") == "abcdef"


def test_marks_and_bars_have_an_ascii_of_their_own() -> None:
    for characters in ("★✓✗?≈▶◆●·⚠", BARS):
        converted = [to_ascii(character) for character in characters]
        assert all(len(text) == 1 and text.isascii() for text in converted)
        assert len(set(converted)) >= len(characters) - 1  # the two warnings may share one
