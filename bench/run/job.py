"""A job: one checkpoint, opened, with the cells it decodes and the keys of its blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.grid.plan import Plan
from bench.results.stored import StoredWork
from bench.run.blocks import Block
from bench.run.decode import MaskedBlock
from bench.store.keys import Numerics, model_key
from bench.store.store import Store
from maskgit.model import MaskedImageModel


@dataclass(frozen=True)
class Job:
    """A loaded model and its part of the plan; `tile` images a network call, on `device`."""

    name: str
    model: MaskedImageModel
    plan: Plan
    numerics: Numerics
    tile: int
    device: str

    def key(self, block: Block) -> str:
        """Key of a block's model layer."""
        return model_key(self.model.fingerprint, block.identity, self.numerics)

    def stored(self, blocks: Sequence[Block], store: Store) -> StoredWork:
        """What a store holds of this job's work over some blocks."""
        return StoredWork(store, tuple(block.identity for block in blocks), self.model.fingerprint, self.numerics)

    def masked(self, block: Block, on_pass: Callable[[int], None] = lambda images: None) -> MaskedBlock:
        """The block as this job's model sees it; `on_pass` is told of the images that go through the transformer."""
        return MaskedBlock(self.model, block, self.tile, self.device, on_pass)
