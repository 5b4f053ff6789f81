"""The command `maskbench verify`: checks everything about a run and, if asked to, computes the damaged parts again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.results.finished_run import FEATURES_FILE
from bench.results.folder import open_run
from bench.results.identity import read_identity
from bench.store.store import Store
from bench.verify.files import check_files, reason
from bench.verify.findings import DAMAGED, Findings
from bench.verify.stored import check_store
from maskgit.errors import InputError

if TYPE_CHECKING:
    from bench.results.folder import RunFolder


def verify(path: Path) -> Findings:
    """Check a finished run or a saved baseline; nothing is written.

    Raises:
        InputError: There is no run, or it is of another schema.
        IncompleteRunError: The run is not finished.
    """
    findings = Findings(path)
    try:
        run = open_run(path)
    except InputError as error:
        if read_identity(path) is None:
            raise
        findings.add(DAMAGED, path / "run.json", reason(error, path / "run.json"))
        findings.unchecked.append("tables and stored work: run.json, which names their hashes, is damaged")
        return findings
    check_files(run, findings)
    if (path / FEATURES_FILE).is_file():
        findings.unchecked.append("scores of a saved baseline against its features: the gate computes them itself")
        return findings
    _check_work(run, findings)
    return findings


def _check_work(run: RunFolder, findings: Findings) -> None:
    """Check stored work and, if none of it is damaged, the numbers that follow from it."""
    try:
        identity = read_identity(run.path)
    except InputError:
        identity = None
    if identity is None:
        findings.unchecked.append("stored work: the tables that say what the run needs are damaged")
        return
    before = len(findings.damages)
    check_store(identity, Store(run.store), findings)
    if not run.store.is_dir() or identity.numerics is None:
        return
    if len(findings.damages) > before:
        findings.unchecked.append("numbers against the stored work, which is damaged")
        return
    from bench.verify.numbers import check_numbers  # loads torch

    check_numbers(run, identity, findings)


def repair(path: Path, findings: Findings, quiet: bool = False) -> Findings:
    """Compute what is damaged again, by the same run into the same folder, and verify the result.

    Intact stored work is read, and the speeds and dates of an intact run.json are kept; so an undamaged table is written
    again byte for byte.

    Raises:
        InputError: The run cannot be repeated: its inputs changed, or its spec is not readable; or it is a baseline.
    """
    if findings.intact:
        return findings
    if (path / FEATURES_FILE).is_file():
        raise InputError(f"{path}: a saved baseline; `maskbench baseline save RUN {path}` writes it again")
    from bench.run.runner import run as drive

    record = None
    if not any(Path(damage.file).name == "run.json" for damage in findings.damages):
        record = open_run(path).record
    identity = read_identity(path)
    if identity is None:
        raise InputError(
            f"{path}: no readable record of what was asked for; the same `maskbench run` command repairs it"
        )
    base = (path / identity.base).resolve()
    drive(identity.parsed_spec, path, base, quiet=quiet, keep_going=bool(record and record.skipped), kept=record)
    after = verify(path)
    after.repaired = [damage for damage in findings.damages if damage not in after.damages]
    return after
