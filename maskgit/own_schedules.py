"""Gamma functions of the user's own: γ(r) in a file or module, named as "python:./my_gammas.py:steep".

Decoding needs γ at r = 1/T, 2/T, …, 1 only, so the function is called at these ratios, once, and its values take its place:
they decide the result, they enter the keys of what is stored, and a finished run is read without running any code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from maskgit.checkpoints.python_part import find_part, load_part, target_and_name
from maskgit.errors import InputError
from maskgit.schedules import Schedule, sampled

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.checkpoints.python_part import LoadedPart

OwnGamma = Callable[[float], Any]
"""γ(r): r in [0, 1], a float64 scalar of NumPy, to one number."""
TOLERANCE = 1e-6  # of γ(0) = 1, of γ(1) = 0, and of a rise: rounding stays far below
CHECKED_AT = 101  # ratios at which the shape is checked, whatever T is


def require_form(name: str) -> None:
    """Refuse a name that is not of the form "python:./file.py:function"; nothing is opened.

    Raises:
        InputError: The form is another.
    """
    target_and_name(name, "gamma")


def load_gamma(name: str, base: Path) -> OwnGamma:
    """The function with that name, loaded and checked.

    Args:
        name: "python:./file.py:function" or "python:module:function".
        base: Folder that a relative path starts from.

    Raises:
        InputError: There is no such function, it fails, or it is not a gamma function.
    """
    part = load_part(find_part(name, base, "gamma"), "a gamma function γ(r)")
    function = _isolated(part)
    values_at(function, CHECKED_AT - 1, name)
    return function


def values_at(function: OwnGamma, total_iter: int, name: str) -> tuple[float, ...]:
    """γ at r = 0, 1/T, …, 1, in [0, 1].

    Raises:
        InputError: A value is not one finite number in [0, 1], γ(0) is not 1, γ(1) is not 0, or γ rises.
    """
    ratios = [step / total_iter for step in range(total_iter + 1)]
    values = [_number(function(np.float64(ratio)), ratio, name) for ratio in ratios]
    for ratio, value, expected in ((0.0, values[0], 1.0), (1.0, values[-1], 0.0)):
        if abs(value - expected) > TOLERANCE:
            raise _refusal(name, f"γ({ratio:g}) = {value:.6g}, must be {expected:g}")
    for ratio, (earlier, later) in zip(ratios, pairwise(values), strict=False):
        if later > earlier + TOLERANCE:
            raise _refusal(name, f"γ rises from {earlier:.6g} to {later:.6g} after r = {ratio:.4g}")
    return tuple(min(max(value, 0.0), 1.0) for value in values)


def to_text(values: tuple[float, ...]) -> str:
    """Values as text, from which `from_text` reads the same float64."""
    return ",".join(map(repr, values))


def from_text(text: str) -> Schedule:
    """The schedule through values at r = 0, 1/T, …, 1."""
    return sampled(tuple(map(float, text.split(","))))


def _isolated(part: LoadedPart) -> OwnGamma:
    return lambda ratio: part.call(lambda: part.value(ratio), what=f"γ({ratio:.4g}) failed")


def _number(value: Any, ratio: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise _refusal(name, f"γ({ratio:.4g}) is a {type(value).__name__}, not one number") from None
    if not math.isfinite(number) or not -TOLERANCE <= number <= 1.0 + TOLERANCE:
        raise _refusal(name, f"γ({ratio:.4g}) = {number:.6g} is not in [0, 1]")
    return number


def _refusal(name: str, what: str) -> InputError:
    return InputError(
        f"gamma = {name!r:.80}: {what}; γ(r) is the share still masked and falls from 1 at r = 0 to 0 at r = 1"
    )
