"""Cells by name: an id, the start of one, `best`, `fastest`, or settings such as gamma=cosine,T=8,s=4."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bench.document.text import clean
from bench.grid.settings import setting_names
from bench.report.view import build
from bench.results.cells import plain
from bench.results.folder import open_run
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEST, FASTEST = "best", "fastest"
ALIASES = {"T": "total_iter", "s": "sweet_spot"}
LISTED = 4


def cell_ids_of(run: Path, names: Sequence[str]) -> list[str]:
    """The ids of the named cells of a run or a saved baseline, each once, in order.

    Args:
        run: The folder.
        names: For each cell its id, an unambiguous start of it, "best", "fastest" (the recommended one: the fastest that is
            as good as the best), or settings with commas between them, where T and s are total_iter and sweet_spot.

    Raises:
        InputError: A name fits no cell, or several.
    """
    return list(dict.fromkeys(_cell_id(run, name) for name in names))


def _cell_id(run: Path, name: str) -> str:
    opened = open_run(run)
    rows: list[dict[str, Any]] = opened.table("cells", ("cell_id",)).to_pylist()
    if name in {row["cell_id"] for row in rows}:
        return name
    if name == BEST:
        if opened.best is None:
            raise InputError(f"--cell best: no cell of {run} has a score")
        return str(opened.best.cell_id)
    if name == FASTEST:
        answer = build(run).answer
        if answer is None:
            raise InputError(f"--cell fastest: no cell of {run} has a score")
        return answer.cell_id
    fitting = _with_settings(name, rows) if "=" in name else [i for i in _ids(rows) if i.startswith(name)]
    return _only(run, name, fitting, _ids(rows))


def _ids(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [str(row["cell_id"]) for row in rows]


def _with_settings(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Ids of the cells that have all of the named settings."""
    asked: dict[str, str] = {}
    for part in name.split(","):
        key, _, value = (text.strip() for text in part.partition("="))
        setting = ALIASES.get(key, key)
        if setting not in setting_names() or not value:
            raise InputError(
                f"--cell {clean(name)}: {clean(part)!r} is no setting with a value; write for example gamma=cosine,T=8,s=4"
            )
        asked[setting] = value
    return [row["cell_id"] for row in rows if all(_is(row[key], value) for key, value in asked.items())]


def _is(value: Any, text: str) -> bool:
    """True if a setting has the value written as `text`: numbers by value, others by name."""
    if isinstance(value, bool | str):
        return str(value).lower() == text.lower()
    try:
        return float(value) == float(text)
    except ValueError:
        return plain(value) == text


def _only(run: Path, name: str, fitting: Sequence[str], ids: Sequence[str]) -> str:
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        similar = "".join(f" (similar: {clean(cell_id)})" for cell_id in get_close_matches(name, ids, 1))
        raise InputError(
            f"--cell {clean(name)}: no such cell in {run}{similar}; see the column cell_id of cells.parquet, or write best, "
            "fastest, the start of an id, or settings such as gamma=cosine,T=8,s=4"
        )
    listed = ", ".join(map(clean, fitting[:LISTED])) + (" …" if len(fitting) > LISTED else "")
    raise InputError(
        f"--cell {clean(name)}: {len(fitting)} cells of {run} fit: {listed}; add settings or more of the id"
    )
