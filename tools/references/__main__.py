"""Write the references: `python -m tools.references`; with --check, name those that are not current and exit with 1."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.grid.schema import grid_schema
from tools.references.cli import cli
from tools.references.grid_toml import grid_toml
from tools.references.json_output import json_output
from tools.references.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
REFERENCES: dict[str, Callable[[], str]] = {
    "docs/grid-toml.md": grid_toml,
    "docs/cli.md": cli,
    "docs/tables.md": tables,
    "docs/json.md": json_output,
    "grid.schema.json": lambda: json.dumps(grid_schema(), indent=2) + "\n",
}
"""Files, relative to the root of the repository, and the functions that make their contents."""


def stale() -> list[str]:
    """Files that are missing or not current."""
    return [name for name, content in REFERENCES.items() if _read(ROOT / name) != content()]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Write or check the references; returns the exit code."""
    names = stale()
    if "--check" in arguments:
        for name in names:
            print(f"{name} is not current; run python -m tools.references", file=sys.stderr)
        return int(bool(names))
    for name in names:
        (ROOT / name).write_text(REFERENCES[name](), encoding="utf-8")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
