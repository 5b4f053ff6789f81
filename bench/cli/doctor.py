"""`maskbench doctor`: is this installation sound?"""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check the installation: versions, device, bundled weights, extractors.

    Example: maskbench doctor
    """
    from rich.console import Console

    from bench.run.doctor import examine

    if not examine(Console()):
        raise typer.Exit(2)
