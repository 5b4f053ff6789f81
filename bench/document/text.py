"""Safe text, and one way to write each kind of number in every format."""

from __future__ import annotations

import math
import re
import unicodedata

ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
UNSAFE_CATEGORIES = (
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Zl",
    "Zp",
)  # control, bidi overrides, surrogates, line separators
ASCII_FOR = {
    "·": "|", "×": "x", "–": "-", "—": "-", "…": "...", "±": "+/-", "Δ": "d", "→": "->", "≤": "<=", "≥": ">=",
    "⚠": "!", "★": "*", "✓": "+", "✗": "x", "●": "o", "◆": "#", "▶": ">", "≈": "~", "\u202f": " ", "\u00a0": " ",
    "└": "+", "│": "|", "─": "-", "┤": "+", **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*#@", strict=True)),
}  # fmt: skip


def clean(text: object) -> str:
    """A user's text without terminal control sequences or line breaks.

    Whole escape sequences and single control and direction characters are removed; line breaks and tabs become spaces.
    """
    spaced = re.sub(r"[\t\r\n\v\f\x85\u2028\u2029]+", " ", ESCAPE_SEQUENCE.sub("", str(text)))
    return "".join(c for c in spaced if unicodedata.category(c) not in UNSAFE_CATEGORIES)


def to_ascii(text: str) -> str:
    """The closest ASCII text, for a terminal or a log that supports nothing else."""
    return "".join(ASCII_FOR.get(c, c) for c in text).encode("ascii", "replace").decode("ascii")


def score_decimals(best: float) -> int:
    """Decimals that give the best score four significant digits (0 to 6)."""
    if not math.isfinite(best) or best <= 0:
        return 4
    return min(6, max(0, 3 - math.floor(math.log10(best))))


def fixed(value: float | None, decimals: int, unit: str = "") -> str:
    """Write a number with a fixed number of decimals, or a dash for None."""
    return "–" if value is None else f"{value:.{decimals}f}{unit}"


def significant(value: float | None, digits: int = 3, unit: str = "") -> str:
    """Write a number with some significant digits, never in exponent form: 0.0123, 1.23, 12.3, 123, 1234."""
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:.0f}{unit}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}{unit}"


def percent(share: float | None, decimals: int = 1, sign: bool = False) -> str:
    """Write a share in [0, 1] as percent."""
    if share is None:
        return "–"
    return f"{100 * share:{'+' if sign else ''}.{decimals}f} %"


def duration(seconds: float | None) -> str:
    """Write seconds as 12.3 s, 4 min 05 s or 2 h 07 min."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def number(value: float | None) -> float | None:
    """A number from a table; None for NaN."""
    return None if value is None or math.isnan(value) else float(value)
