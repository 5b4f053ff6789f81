"""The numbers in the tables of a run against those computed again from its stored work."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bench.results.folder import RunFolder
from bench.results.schema import KEYS
from bench.verify.findings import EDITED, MISSING
from bench.verify.rebuild import OF_SPEED, rebuild
from maskgit.checkpoints.python_part import is_python
from maskgit.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from bench.results.identity import RunIdentity
    from bench.verify.findings import Findings
    from bench.verify.rebuild import Rebuilt

RELATIVE = 1e-6
"""Relative difference of numbers computed on another machine that is no edit; on the same machine they are equal."""

Row = dict[str, Any]
Key = tuple[Any, ...]


def check_numbers(run: RunFolder, identity: RunIdentity, findings: Findings) -> None:
    """Compare every table that can be read, whatever its hash, with the one that follows from the stored work."""
    try:
        rebuilt = rebuild(run, identity)
    except InputError as error:
        findings.unchecked.append(f"numbers against the stored work: {error}")
        return
    findings.unchecked.extend(rebuilt.reasons)
    unsealed = RunFolder(run.path, run.record.model_copy(update={"files": {}}))
    for name, table in rebuilt.tables.items():
        with suppress(InputError):  # that it cannot be read is known
            _compare(name, unsealed.table(name), table, rebuilt, findings, run.path / f"{name}.parquet")


def _compare(
    name: str, table: pa.Table, rebuilt_table: pa.Table, rebuilt: Rebuilt, findings: Findings, path: object
) -> None:
    stored, fresh = _rows(name, table), _rows(name, rebuilt_table)
    if extra := [key for key in stored if key not in fresh]:
        if own := [key for key in extra if any(is_python(str(part)) for part in key)]:
            findings.unchecked.append(
                f"{name}.parquet: {len(own)} rows of metrics of the user's own, whose code is not run"
            )
            extra = [key for key in extra if key not in own]
        if extra and name == "references":  # of a program or a package that is not here
            findings.unchecked.append(f"references.parquet: {len(extra)} rows, of {extra[0][0]} and others like it")
        elif extra:
            findings.add(EDITED, path, f"{len(extra)} rows that the run does not have, such as {_text(extra[0])}")
    if lost := [key for key in fresh if key not in stored]:
        findings.add(MISSING, path, f"lacks {len(lost)} rows, such as {_text(lost[0])}")
    findings.count("rows", len(stored))
    columns = [column for column in rebuilt_table.column_names if column not in rebuilt.unknown]
    known = {
        key: row
        for key, row in fresh.items()
        if key in stored and not {row.get("metric"), row.get("reference")} & set(rebuilt.unknown)
    }
    for column in [column for column in columns if column in table.column_names]:
        differing = [key for key, row in known.items() if not _same(stored[key][column], row[column])]
        if differing:
            key, *rest = differing
            more = f", and {len(rest)} more" if rest else ""
            source = "run.json" if column in OF_SPEED else "the stored work"
            values = f"{stored[key][column]}, but {known[key][column]} by {source}"
            findings.add(EDITED, path, f"{column} of {_text(key)} is {values}{more}")


def _rows(name: str, table: pa.Table) -> dict[Key, Row]:
    columns = KEYS[name]
    return {tuple(row[column] for column in columns): row for row in table.to_pylist()}


def _same(stored: Any, fresh: Any) -> bool:
    if isinstance(stored, float) and isinstance(fresh, float):
        return math.isclose(stored, fresh, rel_tol=RELATIVE, abs_tol=1e-12) or (stored != stored and fresh != fresh)
    return bool(stored == fresh)


def _text(key: Key) -> str:
    return " ".join(str(part) for part in key if part not in (None, ""))
