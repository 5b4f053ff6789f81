"""Decode: from the masked images of a block to the canvases of every executed step of its trajectories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from bench.grid.plan import Trajectory
from bench.run.blocks import Block
from bench.store.keys import trajectory_key
from bench.store.kinds import TRAJECTORIES
from bench.store.records import Record, from_table, to_table
from bench.store.store import Store
from maskgit import noise, schedules
from maskgit.decoding import Procedure, State, Step, trajectory
from maskgit.masks import token_mask
from maskgit.model import MaskedImageModel
from maskgit.tiles import tiled


@dataclass(frozen=True)
class MaskedBlock:
    """A block on the device, as a model sees it; what all its trajectories share is computed once, and on demand.

    `on_pass` is told how many images went through the transformer, whenever some do.
    """

    model: MaskedImageModel
    block: Block
    tile: int
    device: str
    on_pass: Callable[[int], None] = lambda images: None

    @cached_property
    def image_ids(self) -> Tensor:
        """(B,) int64."""
        return torch.from_numpy(self.block.image_ids).to(self.device)

    @cached_property
    def mask(self) -> Tensor:
        """Tokens to predict, (B, N) bool."""
        return token_mask(torch.from_numpy(self.block.hole), self.model.cell).to(self.device)

    @cached_property
    def tokens(self) -> Tensor:
        """Tokens of the masked images, (B, N) int64."""
        return tiled(self.model.encode, torch.from_numpy(self.block.masked).to(self.device), self.tile)

    @cached_property
    def first_logits(self) -> Tensor:
        """Logits of the first step, (B, N, V + 1): they depend on the masked tokens alone."""
        return self.logits(torch.where(self.mask, self.model.num_codes, self.tokens))

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of any masked tokens, tile by tile."""
        self.on_pass(len(tokens))
        return tiled(self.model.logits, tokens, self.tile)


def decode_block(
    masked: MaskedBlock,
    model_key: str,
    wanted: dict[Trajectory, int],
    store: Store,
    on_trajectory: Callable[[int], None] = lambda number: None,
    on_passes: Callable[[int, bool], None] = lambda passes, found: None,
) -> dict[Trajectory, Record]:
    """Bring every trajectory of a block up to its wanted step: read what is stored, run and commit what is not.

    Args:
        masked: The block.
        model_key: Key of its model layer.
        wanted: Trajectories and the last step each must reach.
        store: Where records lie.
        on_trajectory: Told which one of `wanted` begins, from 1.
        on_passes: Told the number of steps times images that are done, and whether they were found in the store.
    """
    records = {}
    for number, (one, last) in enumerate(wanted.items(), 1):
        on_trajectory(number)
        key = trajectory_key(model_key, masked.block.identity, one.decode_settings)

        def missing(stored: pa.Table | None, one: Trajectory = one, last: int = last) -> pa.Table | None:
            record = from_table(stored)
            done = record.last_step if record else 0
            on_passes(min(done, last) * len(masked.block.image_ids), True)
            if done >= last:
                return None
            first_logits = masked.first_logits if done == 0 else None
            fresh = run_trajectory(masked, one, record, last, first_logits, lambda passes: on_passes(passes, False))
            return to_table(fresh, masked.block.image_ids, first_step=done + 1)

        record = from_table(store.complete(TRAJECTORIES, key, missing))
        assert record is not None
        records[one] = record
    return records


def run_trajectory(
    masked: MaskedBlock,
    settings: Trajectory,
    done: Record | None,
    until: int,
    first_logits: Tensor | None = None,
    on_passes: Callable[[int], None] = lambda _: None,
) -> Record:
    """Execute the steps after those of `done`, up to `until`; returns the new steps only.

    `first_logits` serve the first of them, where they are known; else they are computed.
    """
    N = masked.model.num_tokens
    state = State.before_first_step(masked.tokens, masked.mask, masked.model.num_codes)
    if done is not None:
        tokens = torch.from_numpy(done.canvases[-1].astype(np.int64)).to(masked.device)
        mask = torch.from_numpy(done.masks[-1]).to(masked.device)
        state = replace(state, tokens=tokens, mask=mask, steps_done=done.last_step)
    procedure = Procedure(schedules.schedule(settings.gamma), settings.total_iter, settings.rule)

    def uniforms(step: int, stream: int) -> Tensor:
        return noise.uniform(settings.seed, masked.image_ids, step, N, stream)

    steps = []
    for step in trajectory(masked.logits, state, procedure, uniforms, until=until, first_logits=first_logits):
        steps.append(step)
        on_passes(len(masked.block.image_ids))
    to_numpy = partial(_stack, steps)
    return Record(to_numpy("canvas").astype(np.uint16), to_numpy("mask"), to_numpy("confidence"))


def _stack(steps: list[Step], name: str) -> np.ndarray:
    return torch.stack([getattr(step, name) for step in steps]).cpu().numpy()
