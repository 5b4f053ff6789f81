"""Means over images: how decoding goes on step by step, and how quality depends on the size of the hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

CURVE_COLUMNS = ("trajectory_id", "step", "masked_left", "mean_confidence")
IMAGE_COLUMNS = ("cell_id", "image_id", "hole_ratio", "psnr_hole_db", "mae_hole", "token_accuracy")
BINS = 4


@dataclass(frozen=True)
class Curve:
    """A trajectory's mean over images after each step: tokens still masked, the model's confidence in [0, 1]."""

    trajectory_id: str
    steps: tuple[int, ...]
    masked_left: tuple[float | None, ...]
    mean_confidence: tuple[float | None, ...]


@dataclass(frozen=True)
class HoleBin:
    """A quarter of the images by hole size: means over n of them; hole ratios in [0, 1], error in grey levels."""

    cell_id: str
    hole_ratio_from: float
    hole_ratio_to: float
    n: int
    psnr_hole_db: float | None
    mae_hole: float | None
    token_accuracy: float | None


def curves_by_step(steps: pa.Table) -> tuple[Curve, ...]:
    """One curve a trajectory, steps ascending."""
    if steps.num_rows == 0:
        return ()
    frame = steps.select(CURVE_COLUMNS).to_pandas()
    means = frame.groupby(["trajectory_id", "step"], sort=True)[["masked_left", "mean_confidence"]].mean().reset_index()
    return tuple(
        Curve(
            trajectory_id=str(trajectory),
            steps=tuple(int(step) for step in group["step"]),
            masked_left=tuple(_finite(value) for value in group["masked_left"]),
            mean_confidence=tuple(_finite(value) for value in group["mean_confidence"]),
        )
        for trajectory, group in means.groupby("trajectory_id", sort=False)
    )


def quality_by_hole(images: pa.Table) -> tuple[HoleBin, ...]:
    """Average every cell over quarters of the hole ratio, the same quarters for all; infinite PSNR is left out."""
    if images.num_rows == 0:
        return ()
    frame = images.select(IMAGE_COLUMNS).to_pandas()
    ratios = frame.drop_duplicates("image_id")["hole_ratio"].to_numpy(dtype=float)
    edges = np.unique(np.quantile(ratios, np.linspace(0, 1, BINS + 1)))
    frame["bin"] = np.digitize(frame["hole_ratio"].to_numpy(dtype=float), edges[1:-1], right=True)
    measures = ["psnr_hole_db", "mae_hole", "token_accuracy"]
    frame[measures] = frame[measures].astype(float).replace([np.inf, -np.inf], np.nan)
    bins = []
    for (cell, index), group in frame.groupby(["cell_id", "bin"], sort=False):
        means = {measure: _finite(group[measure].mean()) for measure in measures}
        low, high = float(edges[index]), float(edges[min(index + 1, len(edges) - 1)])
        bins.append((index, HoleBin(str(cell), low, high, len(group), **means)))
    return tuple(hole_bin for _, hole_bin in sorted(bins, key=lambda pair: pair[0]))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
