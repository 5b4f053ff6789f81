"""Features of images and of their originals, from which feature metrics are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.metrics.frechet import FeatureStats, prepare
from bench.metrics.influence import FrechetEstimate, estimate_paired
from bench.metrics.kernel import KernelStats, kernel_distance_paired, prepare_kernel
from bench.metrics.monge import ProjectedSet, monge_distance_paired, project
from bench.metrics.neighbours import Neighbourhoods, SupportScores, neighbourhoods, support_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.metrics.estimate import Estimate

NAME = "originals"  # in messages


@dataclass(frozen=True, eq=False)
class Original:
    """An extractor's features (N, D) of the originals of a subset, prepared once for all cells, for each metric on demand."""

    features: NDArray[np.float32]

    @cached_property
    def frechet(self) -> FeatureStats:
        """For the Fréchet distance."""
        return prepare(self.features, NAME)

    @cached_property
    def kernel(self) -> KernelStats:
        """For the kernel distance."""
        return prepare_kernel(self.features, NAME)

    @cached_property
    def monge(self) -> ProjectedSet:
        """For the sliced Wasserstein distance."""
        return project(self.features, NAME)

    @cached_property
    def neighbours(self) -> Neighbourhoods:
        """For precision, recall, density and coverage."""
        return neighbourhoods(self.features, NAME)


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

    @cached_property
    def monge(self) -> Estimate:
        """The sliced Wasserstein distance, MIND on FID's features."""
        return monge_distance_paired(self.features, self.original.monge, self.groups)

    @cached_property
    def support(self) -> SupportScores:
        """Precision, recall, density and coverage, per image."""
        return support_scores(self.features, self.original.neighbours)
