"""Every file of a run folder against its hash and its schema (no torch)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bench.results.finished_run import FEATURES_FILE
from bench.results.identity import IDENTITY_FILE, RunIdentity
from bench.results.record import read_sealed
from bench.results.schema import schemas
from bench.verify.findings import DAMAGED, MISSING
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results.folder import RunFolder
    from bench.verify.findings import Findings

OF_A_BASELINE = ("cells", "test_set")


def check_files(run: RunFolder, findings: Findings) -> None:
    """Check every file of a run folder or a baseline that its record or this version knows."""
    findings.count("files")  # run.json, which is open
    if not run.verified:
        findings.unchecked.append("files against their hashes: run.json records none (an earlier version wrote it)")
    check_identity(run, findings)
    is_baseline = (run.path / FEATURES_FILE).is_file()
    names = [f"{name}.parquet" for name in (OF_A_BASELINE if is_baseline else schemas())]
    for name in dict.fromkeys([*names, *run.record.files]):
        findings.count("files")
        try:
            if name.endswith(".parquet"):
                run.table(name.removesuffix(".parquet"))
            else:
                run.content(name)
        except FileNotFoundError:
            findings.add(MISSING, run.path / name, "is missing")
        except InputError as error:
            kind = DAMAGED if (run.path / name).exists() else MISSING
            findings.add(kind, run.path / name, reason(error, run.path / name))


def check_identity(run: RunFolder, findings: Findings) -> None:
    """Check identity.json against its own hash and against run.json."""
    path = run.path / IDENTITY_FILE
    with suppress(FileNotFoundError):
        try:
            content = read_sealed(path)
            RunIdentity.model_validate(content)
            findings.count("files")
            if run.record.identity not in (None, content.get("identity")):
                findings.add(DAMAGED, path, "is that of another run than run.json")
        except (InputError, ValueError) as error:
            findings.add(DAMAGED, path, reason(error, path))


def reason(error: Exception, path: Path) -> str:
    """The text of an error about a file, without its name and the remedy."""
    return (
        next(iter(str(error).splitlines()))
        .removeprefix(f"{path}: ")
        .removeprefix("edited or damaged: ")
        .partition("; ")[0]
    )
