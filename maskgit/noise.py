"""Counter-based random numbers: a pure function of (seed, image, step, token, stream), with no state anywhere.

Generator: Philox 4×32-10 of Salmon, Moraes, Dror & Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
The key is the 64-bit seed, the counter (token, step, low word of the image id, stream + 2 · its high word). So a number
does not depend on the batch an image is in, nor on order, worker or resumption, nor on how many tokens or steps there
are. The words are computed in integers and scaled by a power of two: equal on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor

STREAM_CODE = 0
"""Picks the code of a token."""
STREAM_GUMBEL = 1
"""Noise on the confidence."""

Words = tuple[Tensor, Tensor, Tensor, Tensor]

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORD = 2**32
_LOW = _WORD - 1
_STREAMS = 2


def uniform(seed: int, image_ids: Tensor, step: int, tokens: int, stream: int) -> Tensor:
    """Uniform numbers in [0, 1), multiples of 2⁻⁵³, for every token of every image.

    Args:
        seed: In [0, 2⁶⁴).
        image_ids: (B,) int64, none negative.
        step: Decoding step, in [0, 2³²).
        tokens: N, tokens per image.
        stream: Purpose of the numbers, STREAM_CODE or STREAM_GUMBEL.

    Returns:
        (B, N) float64 on image_ids' device.

    Raises:
        ValueError: a number outside its range, which would otherwise repeat another's noise.
    """
    _check("seed", seed, 2**64)
    for name, value, end in (("step", step, _WORD), ("tokens", tokens, _WORD), ("stream", stream, _STREAMS)):
        _check(name, value, end)
    if image_ids.numel():
        _check("image id", int(image_ids.min()), 2**63)
    places = torch.arange(tokens, device=image_ids.device)
    token, image = torch.broadcast_tensors(places, image_ids.long().unsqueeze(1))
    counter = (token, torch.full_like(token, step), image & _LOW, stream + _STREAMS * (image >> 32))
    first, second, _, _ = philox(counter, (seed & _LOW, seed >> 32))
    return unit_interval(first, second)


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Philox 4×32-10: four 32-bit words of counter and two of key to four random words.

    Words are int64 tensors in [0, 2³²) of one shape; torch has no unsigned 32-bit arithmetic.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(_MULTIPLIERS[0], c0)
        high1, low1 = _multiply(_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return c0, c1, c2, c3


def unit_interval(high: Tensor, low: Tensor) -> Tensor:
    """Two 32-bit words to a float64 in [0, 1): the upper 27 and 26 bits of them, over 2⁵³."""
    return ((high >> 5) * 2**26 + (low >> 6)).double() * 2.0**-53


def _multiply(a: int, b: Tensor) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of the 64-bit product a · b, by 16-bit halves of b: no partial sum leaves int64's range."""
    upper, lower = a * (b >> 16), a * (b & 0xFFFF)
    high = (upper + (lower >> 16)) >> 16
    low = (((upper & 0xFFFF) << 16) + lower) & _LOW
    return high, low


def _check(name: str, value: int, end: int) -> None:
    if not 0 <= value < end:
        raise ValueError(f"{name} must be in [0, {end}), got {value}")
