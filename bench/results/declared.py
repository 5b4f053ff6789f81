"""Settings that a run's cells have and this process does not know: declared by a module that is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.document.text import clean
from bench.grid.axes import Axes, known_gamma
from bench.grid.settings import GAMMA, settings
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.results.folder import RunFolder


def require_declared(run: RunFolder) -> None:
    """Refuse a run with a setting, or a choice of one, that is not declared here: its cells would be mistaken for others.

    Raises:
        InputError: One is not; the message names it.
    """
    named = (_undeclared(name, value) for name, value in _axes(run.record.spec))
    unknown = dict.fromkeys(text for text in named if text is not None)
    if unknown:
        raise InputError(
            f"{run.path}: its grid has {clean(', '.join(unknown))[:300]}, not declared here; import the module that declares "
            "it before the rest of bench (CONTRIBUTING.md, Adding a part), or use the version of maskbench that made the run"
        )


def _undeclared(name: str, value: Any) -> str | None:
    """Text that names an unknown setting, or an unknown value of one that is chosen by name; None if both are known."""
    if name not in Axes.model_fields:
        return f"the setting {name}"
    choices = next((setting.choices for setting in settings() if setting.name == name), None)
    if choices is None and name != GAMMA.name:
        return None
    try:
        is_known = isinstance(value, str) and (value in choices if choices is not None else bool(known_gamma(value)))
    except InputError:
        is_known = False
    return None if is_known else f"{name} = {value!r}"


def _axes(spec: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The axes that a spec names, each with each of its values."""
    grid = spec.get("grid")
    grid = grid if isinstance(grid, dict) else {}
    entries = grid.get("include")
    for entry in (grid, *(entries if isinstance(entries, list | tuple) else ())):
        for name, values in entry.items() if isinstance(entry, dict) else ():
            if name not in ("include", "exclude") and values is not None:
                yield from ((str(name), value) for value in (values if isinstance(values, list | tuple) else [values]))
