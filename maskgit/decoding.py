"""Iterative decoding: predict all masked tokens, keep the most confident, repeat.

Algorithm: Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022, section 3.2, here with an image's
known tokens given (inpainting). B images, N tokens each, V codes; token V is the mask token. A mask is True where a
token is to be predicted. Known tokens, given or fixed in an earlier step, have infinite confidence: that alone keeps
them fixed, in every rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maskgit.errors import InputError
from maskgit.noise import STREAM_CODE, STREAM_GUMBEL
from maskgit.schedules import Schedule, masked_count

GUMBEL_EDGE = 1e-6
"""Uniforms are kept this far from 0 and 1, as in the lab's decoder, so that Gumbel noise stays within (−2.7, 13.9)."""


def categorical(logits: Tensor, uniform: Tensor) -> Tensor:
    """Draw from the softmax by inverse CDF: the smallest k with CDF_k > u.

    Args:
        logits: (..., V), computed on in float64.
        uniform: (...) in [0, 1).

    Returns:
        (...) int64 in [0, V).
    """
    cdf = logits.double().softmax(-1).cumsum(-1)
    cdf = cdf / cdf[..., -1:]  # ends at exactly 1, so that every u < 1 finds its code
    return torch.searchsorted(cdf, uniform.double().unsqueeze(-1), right=True).squeeze(-1)


def argmax(logits: Tensor, uniform: Tensor) -> Tensor:
    """The most probable code, whatever the uniform: (..., V) to (...) int64; the first of equals."""
    return logits.argmax(-1)


SAMPLING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"categorical": categorical, "argmax": argmax}
"""Logits of the codes (..., V) and uniforms (...) to codes (...)."""

CONFIDENCE: dict[str, Callable[[Tensor, int], Tensor]] = {
    "probability": torch.softmax,
    "log_probability": torch.log_softmax,
}
"""Logits (..., V + 1) and their last dimension to confidences of all entries."""

ANNEAL: dict[str, Callable[[float, np.ndarray], np.ndarray]] = {
    "gamma": lambda ratio, gamma: 1.0 - gamma,
    "ratio": lambda ratio, gamma: np.full_like(gamma, 1.0 - ratio),
    "none": lambda ratio, gamma: np.ones_like(gamma),
}
"""Ratio r and gamma(r) (B,) to the factor (B,) on the choice temperature."""


@dataclass(frozen=True)
class Rule:
    """How a step draws tokens and chooses which to keep.

    Attributes:
        confidence: `probability` of the drawn token, or `log_probability` (Chang et al.'s code), float32; either from
            the softmax over all V + 1 entries.
        anneal: Factor on the choice temperature: `gamma` 1 − γ(r), which grows, `ratio` 1 − r, which falls, or `none`.
        sampling: `categorical`, or `argmax` over the codes; the mask token is never drawn.
        choice_temperature: Scale of the Gumbel noise on the confidence, ≥ 0.
        sampling_temperature: Divides the logits that a token is drawn from, > 0. The confidence stays the model's own,
            of undivided logits. Chang et al.'s code has no such temperature: at 1, drawing is theirs.
        fix_at_least_one: Fix at least one more token at every step, as Chang et al.'s code does. (That code also keeps
            one token masked until the last step; ours lets a schedule fill a small hole before it.)
    """

    confidence: str = "probability"
    anneal: str = "gamma"
    sampling: str = "categorical"
    choice_temperature: float = 4.5
    sampling_temperature: float = 1.0
    fix_at_least_one: bool = False

    def __post_init__(self) -> None:
        """Refuse what no step could follow.

        Raises:
            InputError: an unknown name, or a temperature out of range.
        """
        for name, known in (("confidence", CONFIDENCE), ("anneal", ANNEAL), ("sampling", SAMPLING)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} = {getattr(self, name)!r}: no such choice; use one of {', '.join(known)}")
        if not (math.isfinite(self.choice_temperature) and self.choice_temperature >= 0.0):
            raise InputError(f"choice_temperature = {self.choice_temperature}: must be a number, 0 or above")
        if not (math.isfinite(self.sampling_temperature) and self.sampling_temperature > 0.0):
            raise InputError(f"sampling_temperature = {self.sampling_temperature}: must be a number above 0")


LAB = Rule()
PAPER = Rule(confidence="log_probability", anneal="ratio", fix_at_least_one=True)
RULES = {"lab": LAB, "paper": PAPER}


@dataclass(frozen=True)
class Step:
    """What one step leaves.

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
        (B, N) bool, True = still masked. Exactly n an image, unless confidences tie at the cut-off.
    """
    ascending = confidence.sort(dim=1).values
    ascending = torch.cat([ascending, torch.full_like(ascending[:, :1], math.inf)], dim=1)  # n = N: all stay masked
    return confidence < ascending.gather(1, stay_masked.unsqueeze(1))


def decode_step(
    logits: Tensor,
    tokens: Tensor,
    mask: Tensor,
    *,
    index: int,
    stay_masked: Tensor,
    noise_scale: Tensor,
    num_codes: int,
    rule: Rule,
    code_uniforms: Tensor,
    gumbel_uniforms: Tensor,
) -> Step:
    """One step: draw every masked token, then fix the most confident.

    Args:
        logits: (B, N, V + 1) of the tokens with the mask token at masked places.
        tokens: (B, N) int64; what stands at masked places does not matter.
        mask: (B, N) bool, True = masked before the step.
        index: t, from 1.
        stay_masked: n, (B,) int64: tokens that stay masked.
        noise_scale: (B,) float64: choice temperature times its annealing.
        num_codes: V.
        rule: How tokens are drawn and confidence is measured.
        code_uniforms: (B, N) in [0, 1), pick the codes.
        gumbel_uniforms: (B, N) in [0, 1), make the Gumbel noise.

    Raises:
        InputError: the logits of a masked place are not finite numbers.
    """
    x = logits[mask].float()  # only masked places cost anything: (M, V + 1)
    codes = SAMPLING[rule.sampling](x[:, :num_codes] / rule.sampling_temperature, code_uniforms[mask])
    probability = x.softmax(-1).gather(1, codes.unsqueeze(1)).squeeze(1)
    if bool((probability.isnan() | (codes >= num_codes)).any()):  # a CDF of NaNs ends in V, the mask token
        raise InputError(f"the model's logits are not numbers at step {index}; check its weights, or its precision")
    certainty = CONFIDENCE[rule.confidence](x, -1).gather(1, codes.unsqueeze(1)).squeeze(1)

    canvas = tokens.masked_scatter(mask, codes)
    noise = (noise_scale.unsqueeze(1) * gumbel(gumbel_uniforms.double())).float()
    confidence = torch.full_like(noise, math.inf).masked_scatter(mask, certainty + noise[mask])
    drawn = torch.zeros_like(noise).masked_scatter(mask, probability)
    mean = (drawn.double().sum(1) / mask.sum(1)).float()
    return Step(index, canvas, fix_most_confident(confidence, stay_masked), mean)


def trajectory(
    logits: Callable[[Tensor], Tensor],
    tokens: Tensor,
    mask: Tensor,
    *,
    hole_count: Tensor,
    schedule: Schedule,
    total_iter: int,
    num_codes: int,
    rule: Rule,
    uniforms: Callable[[int, int], Tensor],
    start: int = 0,
    until: int | None = None,
    first_logits: Tensor | None = None,
) -> Iterator[Step]:
    """Decode step by step, from any stored step on; going on from a stored step equals never having stopped.

    Args:
        logits: Tokens (B, N), mask tokens included, to logits (B, N, V + 1).
        tokens: (B, N) int64, the canvas so far; what stands at masked places does not matter.
        mask: (B, N) bool, True = still masked.
        hole_count: N₀, (B,) int64: tokens to predict, counted once before the first step.
        schedule: Gamma function.
        total_iter: T, steps the schedule is cut into.
        num_codes: V; also the mask token.
        rule: How a step draws and chooses.
        uniforms: (step, stream) to (B, N) uniforms in [0, 1); streams as in `maskgit.noise`.
        start: Last step already executed; 0 at the start.
        until: Last step to execute, ≤ T; T unless given.
        first_logits: Logits of the first step to execute, where they are known.

    Yields:
        Steps start + 1 … until.

    Raises:
        ValueError: not 0 ≤ start ≤ until ≤ total_iter.
        InputError: the logits are not finite numbers.
    """
    until = total_iter if until is None else until
    if not 0 <= start <= until <= total_iter:
        raise ValueError(f"need 0 <= start <= until <= total_iter, got {start}, {until}, {total_iter}")
    holes = hole_count.cpu().numpy()
    for t in range(start + 1, until + 1):
        x = logits(torch.where(mask, num_codes, tokens)) if first_logits is None else first_logits
        first_logits = None
        ratio = t / total_iter
        stay_masked = torch.from_numpy(masked_count(schedule, ratio, holes)).to(mask.device)
        if rule.fix_at_least_one:
            stay_masked = torch.minimum(stay_masked, mask.sum(1) - 1).clamp(min=0)
        scale = rule.choice_temperature * ANNEAL[rule.anneal](ratio, schedule(ratio, holes))
        step = decode_step(
            x,
            tokens,
            mask,
            index=t,
            stay_masked=stay_masked,
            noise_scale=torch.from_numpy(scale).to(mask.device),
            num_codes=num_codes,
            rule=rule,
            code_uniforms=uniforms(t, STREAM_CODE),
            gumbel_uniforms=uniforms(t, STREAM_GUMBEL),
        )
        tokens, mask = step.canvas, step.mask
        yield step
