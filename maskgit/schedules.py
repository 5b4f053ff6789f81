"""Mask schedules: the share of a hole that is still masked after a given share of the decoding steps.

A gamma function γ(r) falls monotonically from 1 at r = 0 to 0 at r = 1 (the exponential one starts at 1 − 1/N).
Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022, section 3.3 ("Masking Design"), compares the
concave ones (cosine, square, cubic, exponential), the linear one and the convex ones (square root, logarithmic); the
two that depend on N are as in google-research/maskgit, `libml/mask_schedule.py`. That code keeps γ ≥ 1e-6; here γ(1)
is 0 (to rounding), which leaves as many tokens masked, since the count is rounded down.

A function is one entry of `SCHEDULES`, or of `FAMILIES` if its name holds numbers; either may be added to from outside the
package (see CONTRIBUTING.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import cast

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


def table(r: float, N: np.ndarray, values: tuple[float, ...]) -> np.ndarray:
    """γ through given values at equally spaced r from 0 to 1, straight lines between them."""
    last = len(values) - 1
    before = min(int(r * last), last - 1)
    high, low = values[before], values[before + 1]
    return np.full(N.shape, max(low, high + (r * last - before) * (low - high)))  # never below because of rounding


def sampled(values: tuple[float, ...]) -> Schedule:
    """γ with these values at r = 0, 1/T, …, 1, exactly, and straight lines between them."""
    last = len(values) - 1

    def gamma(r: float, N: np.ndarray) -> np.ndarray:
        step = round(r * last)
        return np.full(N.shape, values[step]) if r == step / last else table(r, N, values)

    return gamma


def arccos(r: float, N: np.ndarray) -> np.ndarray:
    """γ = 2/π · cos⁻¹ r (Besnier & Chen 2023, "A Pytorch Reproduction of Masked Generative Image Transformer")."""
    return np.full(N.shape, math.acos(r) * 2.0 / math.pi)


def logarithmic(r: float, N: np.ndarray) -> np.ndarray:
    """γ = min(1, −log₂ r / log₂ N): 1 up to r = 1/N (google-research/maskgit, `log`). N < 2 counts as 2."""
    if r == 0.0:
        return np.ones(N.shape)
    return cast("np.ndarray", np.minimum(1.0, -math.log2(r) / np.log2(np.maximum(N, 2))))


def exponential(r: float, N: np.ndarray) -> np.ndarray:
    """γ = 1 − 2^(−log₂ N · (1 − r)) = 1 − N^(r − 1): 1 − 1/N at r = 0 (google-research/maskgit, `exp`).

    N = 0 counts as 1.
    """
    return cast("np.ndarray", 1.0 - np.exp2(-np.log2(np.maximum(N, 1)) * (1.0 - r)))


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
"""Gamma functions by name."""


def power_of(numbers: str) -> Schedule:
    """`power:k` with a number k > 0."""
    values = _numbers(numbers)
    if len(values) != 1 or values[0] <= 0.0:
        raise InputError("k must be a number above 0, as in power:2.5")
    return partial(power, k=values[0])


def table_of(numbers: str) -> Schedule:
    """`table:1,0.8,0.3,0`: values of γ at equally spaced r, from γ(0) = 1 down to γ(1) = 0."""
    values = _numbers(numbers)
    if len(values) < 2 or values[0] != 1.0 or values[-1] != 0.0:
        raise InputError("γ is the share still masked: give values from 1 down to 0, as in table:1,0.8,0.3,0")
    if any(later > earlier for earlier, later in pairwise(values)):
        raise InputError("γ must not rise; give values in falling order")
    return partial(table, values=values)


FAMILIES: dict[str, tuple[str, Callable[[str], Schedule]]] = {
    "power": ("power:k with k > 0", power_of),
    "table": ("table:1,…,0 with values of γ", table_of),
}
"""Functions whose name holds numbers after a colon: how the name is written, and the numbers' text to the function."""


def schedule(name: str) -> Schedule:
    """The gamma function of that name: a key of `SCHEDULES`, or of a family with its numbers, as power:2.5.

    Raises:
        InputError: No such name, or numbers that give no gamma function.
    """
    if name in SCHEDULES:
        return SCHEDULES[name]
    family, colon, numbers = name.partition(":")
    if not colon or family not in FAMILIES:
        forms = ", ".join(form for form, _ in FAMILIES.values())
        raise InputError(
            f"gamma = {name!r:.80}: no such function; use one of {', '.join(SCHEDULES)}, or {forms}, or your own: "
            "python:./file.py:function"
        )
    try:
        return FAMILIES[family][1](numbers)
    except InputError as error:
        raise InputError(f"gamma = {name!r:.80}: {error}") from None


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


def _numbers(text: str) -> tuple[float, ...]:
    """Finite numbers from a list with commas; none if any is not."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        return ()
    return values if all(map(math.isfinite, values)) else ()
