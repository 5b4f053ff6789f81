"""Every block of a run against the store: parts that are damaged, work that is missing (no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.run.needs import needs
from bench.store.kinds import TRAJECTORIES
from bench.store.records import from_table
from bench.verify.findings import DAMAGED, MISSING

if TYPE_CHECKING:
    from bench.results.identity import RunIdentity
    from bench.store.store import Store
    from bench.verify.findings import Findings


def check_store(identity: RunIdentity, store: Store, findings: Findings) -> None:
    """Read all stored work of a run: every part is checked against its name, its key and its page checksums."""
    if identity.numerics is None:
        findings.unchecked.append("stored work: the run did not record its numerics, so it cannot be found")
        return
    if not store.root.is_dir():
        findings.unchecked.append(
            f"stored work, and scores against it: {store.root} is not there (it is seldom committed)"
        )
        return
    for need in needs(identity):
        damaged_before = len(store.damaged)
        table = store.read(need.kind, need.key)
        findings.count("blocks of stored work")
        lacking = None
        if table is None:
            lacking = "is missing"
        elif need.kind == TRAJECTORIES:
            record = from_table(table)
            steps = record.last_step if record else 0
            lacking = f"ends at step {steps} of {need.last_step}" if steps < (need.last_step or 0) else None
        if lacking and len(store.damaged) == damaged_before:
            folder = store.root / need.kind / need.key[:2] / need.key
            findings.add(MISSING, folder, f"{need.kind} of block {need.block} ({need.of}) {lacking}")
    for path, damage in store.damaged.items():
        findings.add(DAMAGED, path, damage)
