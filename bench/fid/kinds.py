"""The kinds of samples that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.metrics.frechet import GaussianStats

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

Numbers = tuple[int, ...] | None
"""The images' numbers, ascending; None where rows have none, and row i belongs to the i-th smallest of the other side."""


@dataclass(frozen=True)
class Images:
    """Images, each of which has been decoded once.

    Attributes:
        name: As the user gave it, or the sub-folder that was taken.
        numbers: See `Numbers`.
        digests: sha256 of each image's pixels and size.
        read: Images start…stop, uint8 (3, H, W) each; sizes may differ.
        notes: What a reader must know: files skipped, images converted.
    """

    name: str
    numbers: Numbers
    digests: tuple[str, ...]
    read: Callable[[int, int], list[NDArray[np.uint8]]]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.digests)


@dataclass(frozen=True, eq=False)
class Features:
    """Features (N, D) that somebody else extracted."""

    name: str
    numbers: Numbers
    values: NDArray[np.generic]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Statistics(GaussianStats):
    """A mean and a covariance that somebody else computed."""

    notes: tuple[str, ...] = ()


Sample = Images | Features | Statistics
