"""The progress of a run as a file in its folder, for `maskbench watch`; its keys are those of --json-logs."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from bench.files import write_json
from bench.progress.displays import Best, Place, State

if TYPE_CHECKING:
    from pathlib import Path

PROGRESS_FILE = "progress.json"


def write_state(folder: Path, state: State) -> None:
    """Write a state; a failure to write does not stop the work."""
    content = asdict(state)
    with suppress(OSError):
        write_json(folder / PROGRESS_FILE, {**content.pop("place"), **content})


def read_state(folder: Path) -> State | None:
    """The state in a folder; None if there is none, or it cannot be read."""
    try:
        content = json.loads((folder / PROGRESS_FILE).read_text(encoding="utf-8"))
        place = Place(**{field.name: content.pop(field.name) for field in fields(Place)})
        best = content.pop("best")
        return State(place=place, best=Best(**best) if best else None, **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remove_state(folder: Path) -> None:
    """Remove the file, if there is one."""
    with suppress(OSError):
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
