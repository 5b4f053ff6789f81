"""Doctor: is this installation sound?"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.features.sources import NAMES, resolve
from bench.grid.spec import ExecutionSection
from bench.run import environment
from maskgit.checkpoints.locate import bundled, locate
from maskgit.errors import MaskgitError
from maskgit.extras import EXTRAS, install_line, installed


def examine(console: Console) -> bool:
    """Print versions, device, bundled models, extractors and extras; returns whether everything needed offline is there."""
    execution = ExecutionSection()
    table = Table(title="maskbench doctor", title_justify="left", show_header=False)
    for name, value in environment.describe(environment.resolve_device("auto"), environment.threads(execution)).items():
        table.add_row(name, escape(str(value)) if value is not None else "–")
    sound = True
    for name in bundled():
        try:
            table.add_row(f"model {name}", f"✓ {locate(name, Path.cwd()).fingerprint[:16]}")
        except MaskgitError as error:
            sound = False
            table.add_row(f"model {name}", f"✗ {escape(str(error))}")
    for name in NAMES:
        try:
            source = resolve(name)
            table.add_row(f"extractor {name}", f"✓ {source.sha256[:16]}")
        except MaskgitError as error:
            table.add_row(f"extractor {name}", f"– {escape(str(error))}")
    for module, extra in EXTRAS.items():
        table.add_row(f"extra {extra}", f"✓ {module}" if installed(module) else f"– {escape(install_line(module))}")
    console.print(table)
    return sound
