"""Precision, recall, density and coverage: do generated images lie among the originals, and the originals among them?

A set's *support* is the union of balls around its images, each as large as the distance to its k-th nearest image of the set.

- **precision**: share of the generated images in the originals' support; **recall**: share of the originals in that of the
  generated images; k = 3                                            (Kynkäänniemi et al. 2019, equations 1 and 2)
- **density**: mean number of originals' balls that hold a generated image, over k, which an outlier among the originals does
  not raise to 1; **coverage**: share of the originals with a generated image in their ball; k = 5   (Naeem et al. 2020,
  equations 3 and 4)

In a paired comparison every generated image has its own original in the other set, so all four are higher than for
independent images, and near 1 for a small hole. The standard error is that of a mean over images: it holds the balls fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bench.metrics.checks import checked_features, require_same_dim
from bench.metrics.statistics import mean_and_se
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

K_SUPPORT, K_DENSITY = 3, 5
CHUNK_ENTRIES = 1 << 22  # of the distance matrix at a time: 32 MB


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """A set of features with the balls around its images, prepared once for a set that is compared with many others.

    Attributes:
        features: (N, D) float64.
        name: Name of the set in messages.
    """

    features: NDArray[np.float64]
    name: str

    @cached_property
    def squared_radii(self) -> dict[int, NDArray[np.float64]]:
        """Squared distance (N,) from each image to the k-th nearest other one, by k."""
        radii = {k: np.empty(len(self.features)) for k in (K_SUPPORT, K_DENSITY)}
        for rows, squared in _squared_distances(self.features, self.features):
            nearest = np.partition(squared, (K_SUPPORT, K_DENSITY), axis=1)  # the image itself is number 0
            for k, values in radii.items():
                values[rows] = nearest[:, k]
        return radii


@dataclass(frozen=True, eq=False)
class SupportScores:
    """Per-image values whose means are the four numbers.

    Attributes:
        precision: (N,) 1 where a generated image is in the originals' support, otherwise 0.
        density: (N,) balls of originals that hold a generated image, over k.
        recall: (M,) 1 where an original is in the generated images' support, otherwise 0.
        coverage: (M,) 1 where an original's ball holds a generated image, otherwise 0.
    """

    precision: NDArray[np.float64]
    density: NDArray[np.float64]
    recall: NDArray[np.float64]
    coverage: NDArray[np.float64]

    def mean_and_se(self, name: str, groups: ArrayLike | None = None) -> tuple[float, float]:
        """One of the four numbers by name, with its standard error; groups as in `statistics.mean_and_se`."""
        return mean_and_se(getattr(self, name), groups)


def neighbourhoods(features: ArrayLike, name: str = "features") -> Neighbourhoods:
    """Check a set of features (N, D).

    Raises:
        InputError: As `checked_features` does, or N ≤ 5: an image has no fifth neighbour.
    """
    x = checked_features(features, name)
    if len(x) <= K_DENSITY:
        raise InputError(
            f"{name}: {len(x)} images; density and coverage need {K_DENSITY} neighbours of each, so at least "
            f"{K_DENSITY + 1} images"
        )
    return Neighbourhoods(x, name)


def support_scores(x: ArrayLike | Neighbourhoods, a: ArrayLike | Neighbourhoods) -> SupportScores:
    """Precision, density, recall and coverage of generated images x (N, D) against originals a (M, D), per image.

    Raises:
        InputError: As `neighbourhoods` does, or the sets differ in D.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    require_same_dim(x.features.shape[1], a.features.shape[1], x.name, a.name)
    n, m = len(x.features), len(a.features)
    scores = SupportScores(np.zeros(n), np.zeros(n), np.zeros(m), np.zeros(m))
    for rows, squared in _squared_distances(x.features, a.features):
        scores.precision[rows] = (squared <= a.squared_radii[K_SUPPORT]).any(axis=1)
        in_balls = squared <= a.squared_radii[K_DENSITY]
        scores.density[rows] = in_balls.sum(axis=1) / K_DENSITY
        np.maximum(scores.coverage, in_balls.any(axis=0), out=scores.coverage)
        np.maximum(scores.recall, (squared <= x.squared_radii[K_SUPPORT][rows, None]).any(axis=0), out=scores.recall)
    return scores


def _prepared(features: ArrayLike | Neighbourhoods, name: str) -> Neighbourhoods:
    return features if isinstance(features, Neighbourhoods) else neighbourhoods(features, name)


def _squared_distances(x: NDArray[np.float64], y: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """|xᵢ − yⱼ|², some rows at a time, with the rows."""
    of_y = np.einsum("ij,ij->i", y, y)
    chunk = max(1, CHUNK_ENTRIES // len(y))
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk]
        squared = np.einsum("ij,ij->i", part, part)[:, None] + of_y - 2.0 * (part @ y.T)
        yield slice(start, start + len(part)), squared.clip(0)  # rounding alone can take it below 0
