"""A job: one loaded checkpoint with the cells it decodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.results.stored import StoredWork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.grid.plan import Plan
    from bench.run.blocks import Block
    from bench.run.runtime import Runtime
    from bench.store.store import Store
    from maskgit.model import MaskedImageModel


@dataclass(frozen=True)
class Job:
    """A loaded model, its part of the plan, and the runtime that runs it."""

    name: str
    model: MaskedImageModel
    plan: Plan
    runtime: Runtime

    def stored(self, blocks: Sequence[Block], store: Store) -> StoredWork:
        """The work of this job over some blocks in a store."""
        identities = tuple(block.identity for block in blocks)
        return StoredWork(store, identities, self.model.fingerprint, self.runtime.numerics)
