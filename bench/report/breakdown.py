"""Means over images: decoding step by step, and quality by size of the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.metrics.registry import image_metrics
from bench.metrics.statistics import mean_and_se

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

CURVE_COLUMNS = ("trajectory_id", "image_id", "step", "masked_left", "mean_confidence")
MEASURES = tuple(metric.name for metric in image_metrics())
IMAGE_COLUMNS = ("cell_id", "image_id", "hole_ratio", "token_hole_ratio", *MEASURES, "influence")
BINS = 4


@dataclass(frozen=True)
class Curve:
    """Means of a trajectory over images, by executed step.

    Attributes:
        trajectory_id: The trajectory.
        steps: The steps, from 1.
        masked_left: Tokens still masked after each step.
        tokens_fixed: Tokens fixed in each step; null for the first step if the size of the holes in tokens is unknown.
        mean_confidence: Mean probability of the sampled tokens, in [0, 1].
    """

    trajectory_id: str
    steps: tuple[int, ...]
    masked_left: tuple[float | None, ...]
    tokens_fixed: tuple[float | None, ...]
    mean_confidence: tuple[float | None, ...]


@dataclass(frozen=True)
class HoleBin:
    """Means of a cell over a quarter of the images, by size of the hole.

    Attributes:
        cell_id: The cell.
        hole_ratio_from: Smallest share of the image that is hole, in [0, 1].
        hole_ratio_to: Largest.
        n: Number of images.
        means: Means over the images by metric, null if there is none; in JSON each metric is a separate key.
        se: Standard error of each mean over images; exact copies count as one image.
    """

    cell_id: str
    hole_ratio_from: float
    hole_ratio_to: float
    n: int
    means: dict[str, float | None]
    se: dict[str, float | None]

    def row(self) -> dict[str, Any]:
        """All fields in one dictionary, as in JSON: means by metric, their errors under "se"."""
        values = {name: value for name, value in self.__dict__.items() if name not in ("means", "se")}
        return {**values, **self.means, "se": self.se}


def hole_tokens(images: pa.Table, tokens_of_cell: Mapping[str, int]) -> pd.DataFrame:
    """Tokens to predict, by cell and image: columns cell_id, image_id, hole_tokens.

    Args:
        images: images.parquet.
        tokens_of_cell: cell_id -> tokens of one image; other cells are left out.
    """
    frame: pd.DataFrame = images.select(["cell_id", "image_id", "token_hole_ratio"]).to_pandas()
    frame["hole_tokens"] = frame.pop("token_hole_ratio").astype(float) * frame["cell_id"].map(tokens_of_cell)
    return frame.dropna()


def curves_by_step(steps: pa.Table, hole_tokens: pd.DataFrame) -> tuple[Curve, ...]:
    """One curve per trajectory, steps ascending; hole_tokens: columns trajectory_id, image_id, hole_tokens."""
    if steps.num_rows == 0:
        return ()
    frame = steps.select(CURVE_COLUMNS).to_pandas().merge(hole_tokens, "left", on=["trajectory_id", "image_id"])
    measures = ["masked_left", "mean_confidence", "hole_tokens"]
    means = frame.groupby(["trajectory_id", "step"], sort=True)[measures].mean().reset_index()
    curves = []
    for trajectory, group in means.groupby("trajectory_id", sort=False):
        left = group["masked_left"].to_numpy(dtype=float)
        before = np.concatenate([group["hole_tokens"].to_numpy(dtype=float)[:1], left[:-1]])
        curves.append(
            Curve(
                trajectory_id=str(trajectory),
                steps=tuple(int(step) for step in group["step"]),
                masked_left=tuple(map(_finite, left)),
                tokens_fixed=tuple(map(_finite, before - left)),
                mean_confidence=tuple(map(_finite, group["mean_confidence"])),
            )
        )
    return tuple(curves)


def quality_by_hole(images: pa.Table, copy_of: Mapping[int, int]) -> tuple[HoleBin, ...]:
    """Average every cell over quarters of the hole ratio, the same quarters for all cells; infinite PSNR is left out.

    Args:
        images: images.parquet.
        copy_of: image_id -> the first image with the same ground truth; an image that is not listed has no copy.
    """
    if images.num_rows == 0:
        return ()
    frame = images.select(IMAGE_COLUMNS).to_pandas()
    ratios = frame.drop_duplicates("image_id")["hole_ratio"].to_numpy(dtype=float)
    edges = np.unique(np.quantile(ratios, np.linspace(0, 1, BINS + 1)))
    frame["bin"] = np.digitize(frame["hole_ratio"].to_numpy(dtype=float), edges[1:-1], right=True)
    frame["original"] = frame["image_id"].map(copy_of).fillna(frame["image_id"])
    measures = list(MEASURES)
    frame[measures] = frame[measures].astype(float).replace([np.inf, -np.inf], np.nan)
    bins = []
    for (cell, index), group in frame.groupby(["cell_id", "bin"], sort=False):
        means = {measure: _finite(group[measure].mean()) for measure in measures}
        originals = group["original"].to_numpy()
        errors = {measure: _error(group[measure].to_numpy(), originals) for measure in measures}
        low, high = float(edges[index]), float(edges[min(index + 1, len(edges) - 1)])
        bins.append((index, HoleBin(str(cell), low, high, len(group), means, errors)))
    return tuple(hole_bin for _, hole_bin in sorted(bins, key=lambda pair: pair[0]))


def _error(values: NDArray[np.float64], originals: NDArray[np.int64]) -> float | None:
    """Standard error of the mean of the known values; None if they all belong to one original."""
    known = np.isfinite(values)
    if len(set(originals[known])) < 2:
        return None
    return mean_and_se(values[known], originals[known])[1]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
