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
"""Numbers of the images, ascending; None if rows have none: row i then matches the i-th smallest number of the other side."""


@dataclass(frozen=True)
class Images:
    """Images that have all been decoded once.

    Attributes:
        name: Name as the user gave it, or the sub-folder that is used.
        numbers: See `Numbers`.
        digests: sha256 of each image's pixels and size.
        read: Reads the images start…stop, uint8 (3, H, W) each; sizes may differ.
        notes: Caveats for the reader: files skipped, images converted.
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
    """Features (N, D) that were extracted elsewhere."""

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
    """A mean and a covariance that were computed elsewhere."""

    notes: tuple[str, ...] = ()


Sample = Images | Features | Statistics
