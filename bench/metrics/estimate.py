"""A distance between two sets of images, and the contribution of each image to its standard error."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Self

from bench.metrics.statistics import standard_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """A distance with influences.

    Attributes:
        value: The distance.
        influence: (N,) float64, centred: derivative of value with respect to image i's weight, weights summing to 1.
            A positive one pushes the distance up. For the error of a difference of two cells over the same images, give
            the difference of their influences to `standard_error`.
        n: Number of generated images.
        paired: True if row i of the reference is the original of image i.
        groups: (N,) int64, the image that each row belongs to.
        reference_influence: (M,) like influence, for the images of a disjoint reference; None if paired.
        reference_groups: (M,) like groups, for the images of a disjoint reference; None if paired.
    """

    value: float
    influence: NDArray[np.float64]
    n: int
    paired: bool
    groups: NDArray[np.int64]
    reference_influence: NDArray[np.float64] | None = None
    reference_groups: NDArray[np.int64] | None = None

    def checked(self) -> Self:
        """The estimate, once its error is known to exist: a refusal comes here and not where the error is read.

        Raises:
            InputError: Fewer than 3 groups on a side.
        """
        _ = self.se
        return self

    @property
    def se(self) -> float:
        """Standard error over images; rows of one group count as one image."""
        own = standard_error(self.influence, self.groups)
        if self.reference_influence is None:
            return own
        return hypot(own, standard_error(self.reference_influence, self.reference_groups))
