"""Decode: from the masked images of a block to the canvases of the executed steps of a trajectory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.store.records import Record
from maskgit import noise
from maskgit.decoding import LogitsError, Procedure, State, Step, trajectory
from maskgit.errors import InputError
from maskgit.masks import token_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.grid.plan import Trajectory
    from bench.run.blocks import Block
    from bench.run.runtime import Runtime
    from maskgit.model import MaskedImageModel


@dataclass(eq=False)
class MaskedBlock:
    """A block on the device, as a model sees it; what its trajectories share is computed once, on demand.

    Attributes:
        passes: Images that have passed through the transformer so far.
    """

    model: MaskedImageModel
    block: Block
    runtime: Runtime
    passes: int = 0

    @cached_property
    def image_ids(self) -> Tensor:
        """(B,) int64."""
        return self.runtime.tensor(self.block.image_ids)

    @cached_property
    def mask(self) -> Tensor:
        """Tokens to predict, (B, N) bool."""
        return token_mask(torch.from_numpy(self.block.hole), self.model.cell).to(self.runtime.device)

    @cached_property
    def tokens(self) -> Tensor:
        """Tokens of the masked images, (B, N) int64."""
        return self.runtime.map(self.model.encode, self.runtime.tensor(self.block.masked))

    @cached_property
    def first_logits(self) -> Tensor:
        """Logits of the first step, (B, N, V + 1): they depend only on the masked tokens."""
        return self.logits(torch.where(self.mask, self.model.num_codes, self.tokens))

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits of any masked tokens, tile by tile."""
        self.passes += len(tokens)
        return self.runtime.map(self.model.logits, tokens)


def run_trajectory(
    masked: MaskedBlock,
    settings: Trajectory,
    done: Record | None,
    until: int,
    first_logits: Tensor | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Record:
    """Execute the steps after those of `done`, up to `until`; returns the new steps only.

    Args:
        masked: The block.
        settings: The trajectory.
        done: The steps executed already.
        until: The last step to execute.
        first_logits: Logits of the first step to execute, if they are known; otherwise they are computed.
        on_step: Called after every step.

    Raises:
        InputError: The model's logits are not finite; the message names the trajectory, the step and the image.
    """
    N = masked.model.num_tokens
    state = State.before_first_step(masked.tokens, masked.mask, masked.model.num_codes)
    if done is not None:
        tokens, mask = masked.runtime.tensor(done.canvases[-1].astype(np.int64)), masked.runtime.tensor(done.masks[-1])
        state = replace(state, tokens=tokens, mask=mask, steps_done=done.last_step)
    procedure = Procedure(settings.schedule, settings.total_iter, settings.rule)

    def uniforms(step: int, stream: int) -> Tensor:
        return noise.uniform(settings.seed, masked.image_ids, step, N, stream)

    steps = []
    try:
        for step in trajectory(masked.logits, state, procedure, uniforms, until=until, first_logits=first_logits):
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
