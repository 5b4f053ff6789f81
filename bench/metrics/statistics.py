"""Small statistics with the image as the sampling unit: standard errors, Holm's correction.

Rows that belong to one image (its seeds, or its exact duplicates in the test set) are not independent evidence. Rows of
one *group* are therefore summed before they are squared: n copies of a test set are as uncertain as one.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_GROUPS = 3
"""Fewest groups for a jackknife, as many as the images that a distance needs; fewer give no useful deviations."""


def group_codes(groups: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Number the groups from 0; without groups every row is a group.

    Args:
        groups: (n,) labels of any one type, equal for rows of the same image; None for n different images.
        n: Number of rows.

    Returns:
        (n,) integers from 0 to the number of groups minus 1.

    Raises:
        InputError: There is not one label per row, or a label is NaN.
    """
    if groups is None:
        return np.arange(n)
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise InputError(f"groups: expected one label for each of {n} rows, got shape {labels.shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise InputError(f"groups: no label in row {np.isnan(labels).argmax()}; give every row its image")
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def standard_error(influence: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Infinitesimal-jackknife standard error ‖I‖/n of a statistic whose influences are I.

    For a difference of two statistics of the same images, pass the difference of their influences.

    Args:
        influence: (n,) centred: derivative of the statistic with respect to row i's weight, where all weights sum to 1.
        groups: (n,) labels as in `group_codes`; influences of a group are summed before they are squared.

    Raises:
        InputError: An influence that is not finite, labels that do not fit, or fewer than 3 groups.

    Source: Efron 1982, "The Jackknife, the Bootstrap and Other Resampling Plans", section 6.2; for groups, the
    cluster-robust form of Liang & Zeger 1986.
    """
    rows = _checked(influence, "influence")
    sums = group_sums(rows, groups, MIN_GROUPS)
    return float(np.linalg.norm(sums)) / len(rows)


def mean_and_se(values: ArrayLike, groups: ArrayLike | None = None) -> tuple[float, float]:
    """Mean of per-row values, and its standard error with groups as the sampling unit.

    Without groups the error is s/√n. With G groups it is √(G/(G − 1) Σ_g (Σ_{i in g} (v_i − v̄))²) / n.

    Args:
        values: (n,) finite numbers.
        groups: (n,) labels as in `group_codes`.

    Raises:
        InputError: A value that is not finite, labels that do not fit, or fewer than 2 groups.
    """
    rows = _checked(values, "values")
    mean = float(rows.mean()) if len(rows) else 0.0
    sums = group_sums(rows - mean, groups, 2)
    return mean, float(np.linalg.norm(sums)) * sqrt(len(sums) / (len(sums) - 1)) / len(rows)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values by the step-down procedure of Holm (1979), in the given order.

    Rejecting where the adjusted value is ≤ α keeps the probability of any false rejection ≤ α under any dependence of
    the tests.

    Raises:
        InputError: The argument is not a list of numbers from 0 to 1.
    """
    p = _checked(p_values, "p-values")
    if ((p < 0) | (p > 1)).any():
        raise InputError("p-values: expected numbers from 0 to 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p), dtype=np.float64)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _checked(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "biuf"):
        raise InputError(f"{name}: expected a list of real numbers, got {array.dtype} {array.shape}")
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        raise InputError(f"{name}: NaN or infinite in {bad.sum()} of {len(bad)} rows, first in row {bad.argmax()}")
    return array


def group_sums(rows: NDArray[np.float64], groups: ArrayLike | None, least: int = MIN_GROUPS) -> NDArray[np.float64]:
    """Sums of the rows (n, …) of each group, (G, …).

    Raises:
        InputError: Labels that do not fit, or fewer than `least` groups.
    """
    codes = group_codes(groups, len(rows))
    sums = np.zeros((int(codes.max(initial=-1)) + 1, *rows.shape[1:]))
    np.add.at(sums, codes, rows)
    if len(sums) < least:
        raise InputError(
            f"{len(sums)} different images among {len(rows)} rows; a standard error needs at least {least}"
        )
    return sums
