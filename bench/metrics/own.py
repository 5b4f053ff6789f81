"""Metrics of the user's own: a function of features in a file, named as "python:./my_metrics.py:energy".

The function takes the features of the images and of their originals, both (N, D) float64 with one image per row, and
returns a number, or a number and its standard error. It is called for every extractor, cell and reference row; nothing is
stored.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.metrics.registry import Metric
from maskgit.checkpoints.python_part import find_part, is_python, load_part
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.metrics.embedded import EmbeddedImages
    from maskgit.checkpoints.python_part import LoadedPart

KEY = "metrics.extra"


def own_metrics(extra: Sequence[str], base: Path) -> tuple[Metric, ...]:
    """The metrics of metrics.extra that are the user's own, loaded: this runs their files.

    Args:
        extra: metrics.extra.
        base: Folder that relative paths start from.

    Raises:
        InputError: There is no such function, or its file cannot be run.
    """
    return tuple(_own(name, base) for name in extra if is_python(name))


def _own(name: str, base: Path) -> Metric:
    part = load_part(find_part(name, base, KEY), "a metric of features")
    return Metric(
        name, name, "features", "A metric of the user's own.", of_set=lambda images: _value(name, part, images)
    )


def _value(name: str, part: LoadedPart, images: EmbeddedImages) -> tuple[float, float | None]:
    x, a = (np.asarray(side, np.float64) for side in (images.features, images.original.features))
    result = part.call(lambda: part.value(x, a), what="the metric failed")
    value, se = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    return _number(name, value), None if se is None else _number(name, se)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(
            f"{name}: returns {type(value).__name__}, expected a number or a number and its error"
        ) from None
    if not math.isfinite(number):
        raise InputError(f"{name}: returns {number}; a number must be finite")
    return number
