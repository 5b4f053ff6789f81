"""A batch of masked images as a model sees it, and the steps of any trajectory over it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from maskgit import noise
from maskgit.decoding import Procedure, State, Step, trajectory
from maskgit.masks import token_mask
from maskgit.tiles import tiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from maskgit.model import MaskedImageModel


class MaskedBatch:
    """Masked images, and what all their trajectories share, computed once and on demand.

    Attributes:
        model: The model.
        masked: (B, 3, H, W) uint8, the images with painted holes.
        hole: (B, H, W) bool, True = repaint.
        image_ids: (B,) int64, the numbers that the noise of each image depends on.
        tile: Images per network call.
        passes: Images that have passed through the transformer so far.
    """

    def __init__(self, model: MaskedImageModel, masked: Tensor, hole: Tensor, image_ids: Tensor, tile: int) -> None:
        self.model, self.masked, self.hole, self.image_ids, self.tile = model, masked, hole, image_ids, tile
        self.passes = 0

    @cached_property
    def tokens(self) -> Tensor:
        """Tokens of the masked images, (B, N) int64, on the model's device."""
        return tiled(self.model.encode, self.masked, self.tile)

    @cached_property
    def mask(self) -> Tensor:
        """Tokens to predict, (B, N) bool, on the device of the masked images."""
        return token_mask(self.hole, self.model.cell).to(self.masked.device)

    @cached_property
    def first_logits(self) -> Tensor:
        """Logits of the first step, (B, N, V + 1): they depend only on the masked tokens."""
        return self.logits(self.start.masked_tokens)

    @property
    def start(self) -> State:
        """The state before the first step."""
        return State.before_first_step(self.tokens, self.mask.to(self.tokens.device), self.model.num_codes)

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits (B, N, V + 1) of tokens (B, N), mask tokens included, tile by tile."""
        self.passes += len(tokens)
        return tiled(self.model.logits, tokens, self.tile)

    def steps(
        self, procedure: Procedure, seed: int, until: int, after: State | None = None, *, keep_first: bool = False
    ) -> Iterator[Step]:
        """Decode up to step `until`.

        Args:
            procedure: Schedule, number of steps and rule.
            seed: Seed of the noise.
            until: Last step to execute.
            after: Progress so far; the start unless given.
            keep_first: Take the first step's logits from `first_logits`, which keeps them for further trajectories.

        Raises:
            LogitsError: The logits are not finite numbers.
        """
        ids, N = self.image_ids.to(self.tokens.device), self.model.num_tokens

        def uniforms(step: int, stream: int) -> Tensor:
            return noise.uniform(seed, ids, step, N, stream)

        first = self.first_logits if keep_first and after is None else None
        return trajectory(self.logits, after or self.start, procedure, uniforms, until=until, first_logits=first)
