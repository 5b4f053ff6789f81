"""A job: one checkpoint, opened, with the cells it decodes and the keys of its blocks."""

from __future__ import annotations

from dataclasses import dataclass

from bench.blocks import Block
from bench.decode import MaskedBlock
from bench.keys import Numerics, model_key
from bench.plan import Plan
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

    def masked(self, block: Block) -> MaskedBlock:
        """The block as this job's model sees it."""
        return MaskedBlock(self.model, block, self.tile, self.device)
