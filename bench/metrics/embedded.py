"""Features of images and of their originals, from which feature metrics are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.metrics.influence import FrechetEstimate, estimate_paired
from bench.metrics.kernel import KernelStats, kernel_distance_paired

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.metrics.estimate import Estimate
    from bench.metrics.frechet import FeatureStats


@dataclass(frozen=True, eq=False)
class Original:
    """An extractor's features of the originals of a subset, prepared once for all cells."""

    frechet: FeatureStats
    kernel: KernelStats


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Features of N images and of their originals, from which feature metrics are computed.

    Attributes:
        features: (N, D) float32.
        original: The originals' features.
        groups: (N,) int64, equal for images that are exact copies of one another.
    """

    features: NDArray[np.float32]
    original: Original
    groups: NDArray[np.int64]

    @cached_property
    def frechet(self) -> FrechetEstimate:
        """The Fréchet distance, with the influence of every image."""
        return estimate_paired(self.features, self.original.frechet, self.groups)

    @cached_property
    def kernel(self) -> Estimate:
        """The kernel distance."""
        return kernel_distance_paired(self.features, self.original.kernel, self.groups)
