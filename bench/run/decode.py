"""Decode: from the masked images of a block to the canvases of the executed steps of a trajectory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.store.records import Record
from maskgit.decoding import LogitsError, Procedure, Step
from maskgit.errors import InputError
from maskgit.masked_batch import MaskedBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.grid.plan import Trajectory
    from bench.run.blocks import Block
    from bench.run.runtime import Runtime
    from maskgit.model import MaskedImageModel


class MaskedBlock(MaskedBatch):
    """A block on the device of a runtime, as a model sees it."""

    def __init__(self, model: MaskedImageModel, block: Block, runtime: Runtime) -> None:
        hole, tensor = torch.from_numpy(block.hole), runtime.tensor
        super().__init__(model, tensor(block.masked), hole, tensor(block.image_ids), runtime.tile)
        self.block, self.runtime = block, runtime


def run_trajectory(
    masked: MaskedBlock,
    settings: Trajectory,
    done: Record | None,
    until: int,
    *,
    keep_first: bool = False,
    on_step: Callable[[], None] = lambda: None,
) -> Record:
    """Execute the steps after those of `done`, up to `until`; returns the new steps only.

    Args:
        masked: The block.
        settings: The trajectory.
        done: The steps executed already.
        until: The last step to execute.
        keep_first: Keep the logits of the first step for further trajectories over the block.
        on_step: Called after every step.

    Raises:
        InputError: The model's logits are not finite; the message names the trajectory, the step and the image.
    """
    state = None
    if done is not None:
        tokens, mask = masked.runtime.tensor(done.canvases[-1].astype(np.int64)), masked.runtime.tensor(done.masks[-1])
        state = replace(masked.start, tokens=tokens, mask=mask, steps_done=done.last_step)
    procedure = Procedure(settings.schedule, settings.total_iter, settings.rule)
    steps = []
    try:
        for step in masked.steps(procedure, settings.seed, until, state, keep_first=keep_first):
            steps.append(step)
            on_step()
    except LogitsError as error:
        image_id = masked.block.image_ids[error.row]
        raise InputError(f"{settings.checkpoint}, {settings.trajectory_id}, image {image_id}: {error}") from None
    to_numpy = partial(_stack, steps)
    return Record(to_numpy("canvas").astype(np.uint16), to_numpy("mask"), to_numpy("confidence"))


def nll_nats(masked: MaskedBlock, truth_tokens: Tensor) -> np.ndarray:
    """Mean negative log-likelihood (B,) float32, in nats per token, of the ground-truth tokens in the hole.

    It uses the logits of the first step, where the whole hole is masked: −1/|M| Σ_{i in M} log p(yᵢ | y_known), the
    training loss of masked token modelling (Chang et al. 2022, equation 1) for the test set's own holes. It depends
    only on the model, not on decoding settings.
    """
    log_p = masked.first_logits[..., : masked.model.num_codes].float().log_softmax(-1)
    nll = -log_p.gather(2, truth_tokens[..., None]).squeeze(2)
    mean = nll.masked_fill(~masked.mask, 0.0).sum(1) / masked.mask.sum(1)
    return np.asarray(mean.cpu().numpy())


def _stack(steps: list[Step], name: str) -> np.ndarray:
    return np.asarray(torch.stack([getattr(step, name) for step in steps]).cpu().numpy())
