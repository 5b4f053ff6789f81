"""A decoding setting, a gamma function, a metric and an extractor, each declared from outside the packages.

Import this file before anything else of `bench`, then use the names in a grid.toml:

    import parts
    import bench

    run = bench.load(bench.run(bench.load_spec("grid.toml"), "results/parts"))
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.features.sources import Entry, Request, Source
from bench.features.sources import declare as declare_extractor
from bench.metrics.pixels import mean_absolute_error
from bench.metrics.registry import Metric
from bench.metrics.registry import declare as declare_metric
from maskgit.rules import SAMPLERS, Rule, Setting, categorical
from maskgit.rules import declare as declare_setting
from maskgit.schedules import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

# A decoding setting, and a sampler that reads it. At 1, the neutral value, all is as it was: ids and stored work stay.
TOP_P = declare_setting(
    Setting(
        "top_p",
        float,
        "The nucleus sampler draws from the most probable codes that hold this share together.",
        default=1.0,
        above=0,
        neutral=1.0,
    )
)


def nucleus(logits: Tensor, uniform: Tensor, rule: Rule) -> Tensor:
    """Draw from the smallest set of codes whose probabilities sum to top_p (Holtzman et al. 2020, section 3.1)."""
    ordered, codes = logits.sort(dim=-1, descending=True)
    before = ordered.double().softmax(-1).cumsum(-1) - ordered.double().softmax(-1)
    drawn = categorical(ordered.masked_fill(before >= rule[TOP_P], -float("inf")), uniform, rule)
    return codes.gather(-1, drawn.unsqueeze(-1)).squeeze(-1)


SAMPLERS["nucleus"] = nucleus


# A gamma function.
def smoothstep(r: float, N: np.ndarray) -> np.ndarray:
    """γ = 1 − r²(3 − 2r): slow at both ends."""
    return np.full(N.shape, 1.0 - r * r * (3.0 - 2.0 * r))


SCHEDULES["smoothstep"] = smoothstep

# A metric of pixels: one value per image. Its version is part of the keys of what is stored.
declare_metric(
    Metric(
        "mae_ring",
        "MAE at the hole's border",
        "pixels",
        "Mean absolute error within 2 pixels of the hole's border, in grey levels from 0 to 255.",
        better="lower",
        unit="/ 255",
        per_image=lambda images: mean_absolute_error(images.images, images.truth, images.ring),
        version=1,
    )
)


# An extractor: where its weights are, and its network. This one has no weights, so that its code is what is hashed.
def find_colours(request: Request) -> Source:
    """The source of the extractor, without torch."""
    path = Path(__file__)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Source("colours", "FD", 48, path, sha256, verified=True, version="colours-1")


def colours(source: Source, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Mean colours of 4 × 4 patches: images (B, 3, H, W) uint8 to features (B, 48) float32."""
    from torch.nn.functional import adaptive_avg_pool2d

    return lambda images: adaptive_avg_pool2d(images.float() / 255, 4).flatten(1)


declare_extractor(Entry("colours", find_colours, f"{__name__}:colours"))
