"""Iterative decoding: predict all masked tokens, keep the most confident, repeat.

Algorithm: Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022, section 3.2, here with an image's
known tokens given (inpainting). B images, N tokens each, V codes; token V is the mask token. A mask is True where a
token is to be predicted. Known tokens, given or fixed in an earlier step, have infinite confidence: that alone keeps
them fixed, in every rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maskgit.errors import InputError
from maskgit.noise import STREAM_CODE, STREAM_GUMBEL
from maskgit.schedules import Schedule, masked_count

if TYPE_CHECKING:
    from maskgit.rules import Rule

GUMBEL_EDGE = 1e-6
"""Uniforms are kept this far from 0 and 1, as in the lab's decoder, so that Gumbel noise stays within (−2.7, 13.9)."""

Uniforms = Callable[[int, int], Tensor]
"""(step, stream) to uniforms (B, N) in [0, 1); streams as in `maskgit.noise`."""


class LogitsError(InputError):
    """Logits that are not numbers, at a step, counted from 1, of a row of the batch, counted from 0."""

    def __init__(self, step: int, row: int) -> None:
        super().__init__(f"the model's logits are not numbers at step {step}; check its weights, or its precision")
        self.step, self.row = step, row


@dataclass(frozen=True)
class Procedure:
    """A decoding procedure: a schedule, its number of steps T, and the rule of every step."""

    schedule: Schedule
    total_iter: int
    rule: Rule


@dataclass(frozen=True, eq=False)
class State:
    """Progress of the decoding of a batch.

    Attributes:
        tokens: (B, N) int64, the canvas so far; the contents of masked places do not matter.
        mask: (B, N) bool, True = still masked.
        hole_count: N₀, (B,) int64: tokens to predict, counted once before the first step.
        num_codes: V; also the mask token.
        steps_done: Steps executed so far.
    """

    tokens: Tensor
    mask: Tensor
    hole_count: Tensor
    num_codes: int
    steps_done: int = 0

    @classmethod
    def before_first_step(cls, tokens: Tensor, mask: Tensor, num_codes: int) -> State:
        """The state of images (B, N) whose tokens under the mask (B, N) are all to be predicted."""
        return cls(tokens, mask, mask.sum(1), num_codes)

    @property
    def masked_tokens(self) -> Tensor:
        """The tokens as the transformer sees them, (B, N): the mask token at masked places."""
        return torch.where(self.mask, self.num_codes, self.tokens)

    def after(self, step: Step) -> State:
        """The state after a step."""
        return replace(self, tokens=step.canvas, mask=step.mask, steps_done=step.index)


@dataclass(frozen=True, eq=False)
class Step:
    """Result of one step.

    Attributes:
        index: t, from 1.
        canvas: (B, N) int64 in [0, V), complete: the tokens before anything is masked again.
        mask: (B, N) bool, True = still masked after the step.
        confidence: (B,) float32, mean probability that the model gave to the tokens drawn in this step; NaN where an
            image had none to draw.
    """

    index: int
    canvas: Tensor
    mask: Tensor
    confidence: Tensor


def gumbel(uniform: Tensor) -> Tensor:
    """Gumbel noise −log(−log u), with u clamped to [1e-6, 1 − 1e-6]."""
    return -torch.log(-torch.log(uniform.clamp(GUMBEL_EDGE, 1.0 - GUMBEL_EDGE)))


def fix_most_confident(confidence: Tensor, stay_masked: Tensor) -> Tensor:
    """Keep the least confident tokens masked: those strictly below the n-th (0-based) smallest of their image.

    Args:
        confidence: (B, N), +inf where known.
        stay_masked: n, (B,) int64 in [0, N]. Where fewer than n are unknown, all of those stay masked.

    Returns:
        (B, N) bool, True = still masked. Exactly n per image, unless confidences tie at the cut-off.
    """
    ascending = confidence.sort(dim=1).values
    ascending = torch.cat([ascending, torch.full_like(ascending[:, :1], math.inf)], dim=1)  # n = N: all stay masked
    return confidence < ascending.gather(1, stay_masked.unsqueeze(1))


def decode_step(logits: Tensor, state: State, procedure: Procedure, uniforms: Uniforms) -> Step:
    """One step: draw every masked token, then fix the most confident.

    Args:
        logits: (B, N, V + 1) of the state's masked tokens.
        state: Progress of the decoding.
        procedure: Schedule, number of steps and rule.
        uniforms: The step's random numbers.

    Raises:
        LogitsError: The logits of a masked place are not finite numbers.
    """
    index, mask, rule = state.steps_done + 1, state.mask, procedure.rule
    x = logits[mask].float()  # only masked places cost anything: (M, V + 1)
    codes = rule.draw(x[:, : state.num_codes], uniforms(index, STREAM_CODE)[mask])
    probability = x.softmax(-1).gather(1, codes.unsqueeze(1)).squeeze(1)
    broken = probability.isnan() | (codes >= state.num_codes)  # a CDF of NaNs ends in V, the mask token
    if bool(broken.any()):
        raise LogitsError(index, row=int(mask.nonzero()[broken][0, 0]))
    certainty = rule.confidence(x, codes)

    stay_masked, noise_scale = _schedule(state, procedure, index)
    noise = (noise_scale.unsqueeze(1) * gumbel(uniforms(index, STREAM_GUMBEL).double())).float()
    confidence = torch.full_like(noise, math.inf).masked_scatter(mask, certainty + noise[mask])
    drawn = torch.zeros_like(noise).masked_scatter(mask, probability)
    return Step(
        index=index,
        canvas=state.tokens.masked_scatter(mask, codes),
        mask=fix_most_confident(confidence, stay_masked),
        confidence=(drawn.double().sum(1) / mask.sum(1)).float(),
    )


def _schedule(state: State, procedure: Procedure, index: int) -> tuple[Tensor, Tensor]:
    """Tokens that stay masked after step `index`, (B,) int64, and the scale of its Gumbel noise, (B,) float64."""
    ratio, holes, device = index / procedure.total_iter, state.hole_count.cpu().numpy(), state.mask.device
    count = torch.from_numpy(masked_count(procedure.schedule, ratio, holes)).to(device)
    scale = torch.from_numpy(procedure.rule.noise_scale(ratio, procedure.schedule(ratio, holes))).to(device)
    return procedure.rule.stay_masked(count, state.mask), scale


def trajectory(
    logits: Callable[[Tensor], Tensor],
    state: State,
    procedure: Procedure,
    uniforms: Uniforms,
    *,
    until: int | None = None,
    first_logits: Tensor | None = None,
) -> Iterator[Step]:
    """Decode step by step, from any stored step on; resuming after a stored step equals never having stopped.

    Args:
        logits: Tokens (B, N), mask tokens included, to logits (B, N, V + 1).
        state: Progress of the decoding.
        procedure: Schedule, number of steps and rule.
        uniforms: Random numbers.
        until: Last step to execute, ≤ T; T unless given.
        first_logits: Logits of the first step to execute, where they are known.

    Yields:
        The steps from the state's next one to `until`.

    Raises:
        ValueError: Not 0 ≤ steps done ≤ until ≤ total_iter.
        InputError: The logits are not finite numbers.
    """
    until = procedure.total_iter if until is None else until
    if not 0 <= state.steps_done <= until <= procedure.total_iter:
        raise ValueError(
            f"need 0 <= steps done <= until <= total_iter, got {state.steps_done}, {until}, {procedure.total_iter}"
        )
    while state.steps_done < until:
        step_logits = logits(state.masked_tokens) if first_logits is None else first_logits
        first_logits = None
        step = decode_step(step_logits, state, procedure, uniforms)
        state = state.after(step)
        yield step
