"""Mask schedules: the share of a hole that is still masked after a given share of the decoding steps.

A gamma function γ(r) falls monotonically from 1 at r = 0 to 0 at r = 1 (the exponential one starts at 1 − 1/N).
Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022, section 3.3 ("Masking Design"), compares the
concave ones (cosine, square, cubic, exponential), the linear one and the convex ones (square root, logarithmic); the
two that depend on N are as in google-research/maskgit, `libml/mask_schedule.py`. That code keeps γ ≥ 1e-6; here γ(1)
is 0 (to rounding), which leaves as many tokens masked, since the count is rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from maskgit.errors import InputError

Schedule = Callable[[float, np.ndarray], np.ndarray]
"""γ(r, N): r in [0, 1], N holes' sizes in tokens (int array) -> float64 in [0, 1] of N's shape."""


def linear(r: float, N: np.ndarray) -> np.ndarray:
    """γ = 1 − r (Chang et al. 2022, section 3.3)."""
    return np.full(N.shape, 1.0 - r)


def cosine(r: float, N: np.ndarray) -> np.ndarray:
    """γ = cos(π r / 2) (Chang et al. 2022, section 3.3: the paper's choice)."""
    return np.full(N.shape, math.cos(math.pi * r / 2.0))


def power(r: float, N: np.ndarray, k: float) -> np.ndarray:
    """γ = 1 − rᵏ (Chang et al. 2022, section 3.3: square k = 2, cubic k = 3, square root k = ½)."""
    return np.full(N.shape, 1.0 - r**k)


def arccos(r: float, N: np.ndarray) -> np.ndarray:
    """γ = 2/π · cos⁻¹ r (Besnier & Chen 2023, "A Pytorch Reproduction of Masked Generative Image Transformer")."""
    return np.full(N.shape, math.acos(r) * 2.0 / math.pi)


def logarithmic(r: float, N: np.ndarray) -> np.ndarray:
    """γ = min(1, −log₂ r / log₂ N): 1 up to r = 1/N (google-research/maskgit, `log`). N < 2 counts as 2."""
    if r == 0.0:
        return np.ones(N.shape)
    return np.minimum(1.0, -math.log2(r) / np.log2(np.maximum(N, 2)))


def exponential(r: float, N: np.ndarray) -> np.ndarray:
    """γ = 1 − 2^(−log₂ N · (1 − r)) = 1 − N^(r − 1): 1 − 1/N at r = 0 (google-research/maskgit, `exp`).

    N = 0 counts as 1.
    """
    return 1.0 - np.exp2(-np.log2(np.maximum(N, 1)) * (1.0 - r))


SCHEDULES: dict[str, Schedule] = {
    "linear": linear,
    "cosine": cosine,
    "square": partial(power, k=2.0),
    "cubic": partial(power, k=3.0),
    "sqrt": partial(power, k=0.5),
    "logarithmic": logarithmic,
    "exponential": exponential,
    "arccos": arccos,
}
NAMES = tuple(SCHEDULES)
POWER = "power:"


def schedule(name: str) -> Schedule:
    """The gamma function of that name: one of NAMES, or `power:k` with a number k > 0.

    Raises:
        InputError: no such name, or no such power.
    """
    if name in SCHEDULES:
        return SCHEDULES[name]
    if name.startswith(POWER):
        return partial(power, k=_exponent(name))
    raise InputError(f"gamma = {name!r}: no such function; use one of {', '.join(NAMES)}, or power:k with k > 0")


def masked_count(gamma: Schedule, ratio: float, hole_count: np.ndarray) -> np.ndarray:
    """Tokens that stay masked after a share of the steps: n = ⌊γ(r) · N₀⌋, the product in float32.

    PyTorch multiplies a scalar by an integer tensor in float32, and the lab's decoder and the paper's both count so; it
    decides where the product is a whole number but for rounding (1 − 9/10 of 10 tokens is 1 token; in float64, none).

    Args:
        gamma: The schedule.
        ratio: r = t / T in [0, 1].
        hole_count: N₀, tokens to predict, counted once at the start; any shape, int64.

    Returns:
        n in [0, N₀], int64, of hole_count's shape.
    """
    product = gamma(ratio, hole_count).astype(np.float32) * hole_count.astype(np.float32)
    return np.floor(product).astype(np.int64)


def _exponent(name: str) -> float:
    try:
        k = float(name.removeprefix(POWER))
    except ValueError:
        k = math.nan
    if not (math.isfinite(k) and k > 0.0):
        raise InputError(f"gamma = {name!r}: k must be a number above 0, as in power:2.5")
    return k
