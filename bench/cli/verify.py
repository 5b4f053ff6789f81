"""`maskbench verify`: is anything in a run damaged?"""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.arguments import AsJson, Format, RunFolderArgument, TextFormat
from bench.errors import EXIT_BAD_INPUT


def verify(
    run: RunFolderArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Compute what is damaged again; needs the run's models and images.")
    ] = False,
    format: Format = TextFormat.RICH,
    as_json: AsJson = False,
) -> None:
    """Check files against hashes, rows against schemas, cells against stored blocks, and numbers against both.

    Exit code 0: nothing is damaged, or all of it was repaired. 2: damaged.

    Example: maskbench verify results/mine --repair
    """
    from bench.document.output import publish, require_format
    from bench.verify import command
    from bench.verify.document import findings_document

    require_format(format)
    findings = command.verify(run)
    if repair:
        findings = command.repair(run, findings)
    publish("json" if as_json else format, lambda: findings_document(findings), findings.content)
    if not findings.intact:
        raise typer.Exit(EXIT_BAD_INPUT)
