"""The command `maskbench gate`: opens both sides, decides, and writes every report before it returns the outcome."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from rich.console import Console

from bench.document.markdown import render_markdown
from bench.document.output import publish, require_format
from bench.errors import IncompleteRunError, NotComparableError, exit_code
from bench.files import write_bytes
from bench.gate import github, junit
from bench.gate.as_json import gate_content, refusal_content
from bench.gate.decision import decide
from bench.gate.document import gate_document, refusal_document
from bench.gate.outcome import GateOutcome, Refusal
from bench.grid.sections import SUSPICIONS, TOLERANCES, GateSection
from bench.results.finished_run import FinishedRun, open_evaluated
from bench.results.folder import holds_run
from maskgit.errors import InputError

if TYPE_CHECKING:
    from bench.document.model import Document
    from bench.grid.spec import Spec


@dataclass(frozen=True)
class Reports:
    """Destinations of a gate's reports: standard output in a format, a JUnit file, GitHub Actions."""

    format: str = "rich"
    junit: Path | None = None
    github: bool = False


def gate(run: Path, baseline: Path, overrides: dict[str, Any], reports: Reports) -> GateOutcome:
    """Gate a run and report the outcome, even if there is no decision.

    Args:
        run: The candidate: a run folder.
        baseline: A run folder, or one that `maskbench baseline save` wrote.
        overrides: Settings from the command line, by their keys in `[gate]`; all others come from the baseline.
        reports: Destinations of the reports.

    Raises:
        InputError: Bad input, or a report that cannot be written.
        NotComparableError: The sides differ in what they measure, or there is no baseline.
        IncompleteRunError: One of the sides is not finished.
    """
    require_format(reports.format)
    try:
        if not baseline.exists() or (baseline.is_dir() and not holds_run(baseline)):
            raise NotComparableError(
                f"{baseline}: no such baseline; `maskbench baseline save RUN {baseline}` makes one"
            )
        candidate, reference = open_evaluated(run), open_evaluated(baseline)
        rules, rules_from = settle_rules(reference, overrides)
        outcome = _decide(candidate, reference, rules, rules_from)
    except (NotComparableError, IncompleteRunError) as error:
        _report_refusal(Refusal(str(run), str(baseline), str(error), exit_code(error)), reports)
        raise
    _report(outcome, reports)
    return outcome


def settle_rules(baseline: FinishedRun, overrides: dict[str, Any]) -> tuple[GateSection, str]:
    """The baseline's settings (so that no candidate relaxes its own gate), with overrides from the command line.

    Raises:
        InputError: A value is impossible.
    """
    saved = rules_of(baseline.run.spec)
    for limits in (TOLERANCES, SUSPICIONS):  # a limit on the command line replaces the baseline's of any kind
        if any(key in overrides for key in limits):
            saved = {key: value for key, value in saved.items() if key not in limits}
    try:
        rules = GateSection.model_validate({**saved, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{_option(str(first['loc'][0]))}: {first['msg']}, got {first['input']!r:.80}") from None
    given = ", ".join(map(_option, overrides))
    return rules, "the baseline" + (f", and the command line ({given})" if given else "")


def rules_of(spec: Spec) -> dict[str, Any]:
    """The rules that a run recorded. Versions without `tolerance_test` compared the estimate, and their runs still do."""
    rules = spec.gate.model_dump(exclude_none=True)
    known = "tolerance_test" in spec.gate.model_fields_set
    return rules if known else {**rules, "tolerance_test": "estimate"}


def _option(key: str) -> str:
    """The option that sets a key of [gate]."""
    return "--cell" if key == "cells" else f"--{key.replace('_', '-')}"


def _decide(candidate: FinishedRun, baseline: FinishedRun, rules: GateSection, rules_from: str) -> GateOutcome:
    """Decide, with a progress line on stderr if that is a terminal."""
    console = Console(stderr=True)
    with console.status("gate: reading features") if console.is_terminal else nullcontext() as status:

        def progress(done: int, total: int) -> None:
            if status is not None:
                status.update(f"gate: {done} of {total} cells")

        return decide(candidate, baseline, rules, rules_from, progress)


def _report(outcome: GateOutcome, reports: Reports) -> None:
    if reports.junit is not None:
        _write_junit(junit.render_junit(outcome), reports.junit)
    publish(reports.format, lambda: gate_document(outcome), lambda: gate_content(outcome))
    if reports.github:
        _tell_github(github.workflow_commands(outcome), gate_document(outcome), reports)


def _report_refusal(refusal: Refusal, reports: Reports) -> None:
    """Write the reason for the refusal to the machine-readable reports; the error itself prints it on stderr."""
    if reports.junit is not None:
        _write_junit(junit.render_refusal(refusal), reports.junit)
    if reports.format != "rich":
        publish(reports.format, lambda: refusal_document(refusal), lambda: refusal_content(refusal))
    if reports.github:
        _tell_github([github.refusal_annotation(refusal)], refusal_document(refusal), reports)


def _write_junit(content: str, path: Path) -> None:
    try:
        write_bytes(path, content.encode())
    except OSError as error:
        raise InputError(f"--junit {path}: cannot be written ({error.strerror}); name another file") from None


def _tell_github(commands: list[str], summary: Document, reports: Reports) -> None:
    """Print annotations (on stderr if a program reads stdout) and append to the step's summary."""
    for line in commands:
        print(line, file=sys.stdout if reports.format == "rich" else sys.stderr)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        github.append_summary(Path(path), render_markdown(summary))
