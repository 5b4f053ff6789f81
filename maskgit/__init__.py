"""The model library: MaskGIT inpainting (schedules, noise, decoding, networks, checkpoints, data, training)."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path


def _report_shadowed_harness() -> None:
    """Warn where `import bench` would not get the harness that was installed with this package, which runs without it."""
    spec = importlib.util.find_spec("bench")
    place = spec.origin if spec is not None else None
    if place is not None and Path(place).resolve().parents[1] != Path(__file__).resolve().parents[1]:
        warnings.warn(
            f"{place} hides maskbench's own package bench from `import bench`; rename it or start from another folder",
            stacklevel=3,
        )


_report_shadowed_harness()
