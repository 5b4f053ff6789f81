"""Seeded mutations of bytes and of JSON values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

NUMBERS = (b"0", b"-1", b"9" * 30, b"1e999", b"nan", b"2147483648", b"18446744073709551616")
TOKENS = (
    b"../../../etc/passwd", b"/dev/zero", b"\x1b]0;owned\x07", b"\x1b[2J", b"<script>alert(1)</script>", b"\x00",
    b"\xff\xfe", "\u202e\u2028".encode(), b"!!python/object/apply:os.system ['true']", b"&a [*a, *a]", b"<<: *a",
    b"[" * 500, b"{" * 500, b'"' * 7, b"\r\n", b"\\x", b"%s%n", b"python:os:system", b"~nobody/x", b"A" * 5000,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, "", "x", "\x1b[31m<b>", "../../x", "\ud800", -1, 0, 1.5, 2**70, float("inf"), float("nan"), True, [], {}, [[]],
    {"a": {"b": []}}, [None], "A" * 5000,
)  # fmt: skip


def mutated(data: bytes, rng: Random) -> bytes:
    """Bytes with one to four changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(CHANGES)(data, rng)
    return data


def edited(text: str, rng: Random) -> dict[str, Any] | Any:
    """The value of a JSON text with one to three of its places replaced, deleted or doubled."""
    value = json.loads(text)
    for _ in range(rng.choice((1, 1, 2, 3))):
        *parents, last = rng.choice(_places(value) or [()]) or (None,)
        if last is None:
            return rng.choice(VALUES)
        holder = value
        for key in parents:
            holder = holder[key]
        if rng.random() < 0.3:
            del holder[last]
        else:
            holder[last] = rng.choice((*VALUES, [holder[last], holder[last]]))
    return value


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key and index of a JSON value below the root."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in ((*path, key), *_places(item, (*path, key)))]


def _flip(data: bytes, rng: Random) -> bytes:
    return _put(data, rng, lambda byte: bytes([byte ^ 1 << rng.randrange(8)]))


def _byte(data: bytes, rng: Random) -> bytes:
    return _put(data, rng, lambda byte: bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))]))


def _put(data: bytes, rng: Random, change: Any) -> bytes:
    if not data:
        return data
    place = _place(data, rng)
    return data[:place] + change(data[place]) + data[place + 1 :]


def _place(data: bytes, rng: Random) -> int:
    """A position; headers and footers, which say how to read the rest, come up as often as the rest."""
    kind, last = rng.randrange(3), len(data) - 1
    if kind == 0:
        return rng.randint(0, min(last, 512))
    return rng.randint(max(0, last - 512), last) if kind == 1 else rng.randint(0, last)


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _drop(data: bytes, rng: Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + data[start + rng.randint(1, 64) :]


def _double(data: bytes, rng: Random) -> bytes:
    start, size = rng.randint(0, len(data)), rng.randint(1, 256)
    return data[:start] + data[start : start + size] * rng.choice((2, 50)) + data[start + size :]


def _token(data: bytes, rng: Random) -> bytes:
    start = rng.randint(0, len(data))
    return data[:start] + rng.choice(TOKENS) + data[start + rng.choice((0, 0, 8)) :]


def _number(data: bytes, rng: Random) -> bytes:
    """A run of digits replaced: sizes in text headers, values in text files."""
    digits = [i for i, byte in enumerate(data[:4096]) if 48 <= byte <= 57]
    if not digits:
        return _byte(data, rng)
    start = end = rng.choice(digits)
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    return data[:start] + rng.choice(NUMBERS) + data[end:]


CHANGES = (_flip, _flip, _byte, _byte, _cut, _drop, _double, _token, _number)
