"""`maskbench doctor`: a check of the installation."""

from __future__ import annotations

import typer

from bench.cli.arguments import AsJson, Format, TextFormat


def doctor(format: Format = TextFormat.RICH, as_json: AsJson = False) -> None:
    """Check the installation: versions, device, bundled weights, extractors.

    Example: maskbench doctor --format markdown
    """
    from bench.document.output import publish
    from bench.run.doctor import as_content, doctor_document, examine

    health = examine()
    publish("json" if as_json else format, lambda: doctor_document(health), lambda: as_content(health))
    if not health.sound:
        raise typer.Exit(2)
