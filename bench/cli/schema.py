"""`maskbench schema`: the JSON schema of grid.toml."""

from __future__ import annotations

from bench.cli.arguments import print_json


def schema() -> None:
    """Print the JSON schema of grid.toml, which editors use for completion and checks.

    Example: maskbench schema
    """
    from bench.grid.schema import grid_schema

    print_json(grid_schema())
