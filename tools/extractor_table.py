"""Compare features by how well they see inpainting, on pairs of image sets whose order is clear.

    python -m tools.extractor_table MASKED MASKS GROUND_TRUTH [--checkpoint cats64] [--extractor NAME ...] [--limit N]

prints Markdown tables for the candidates of EfficientNet-Lite0 and for every named extractor of the registry. The first has
one row per extractor: the number of ordered pairs of tools/inpaintings.py that its paired Fréchet distance gets right
(|z| ≥ 2), leaves undecided and gets wrong; the distance of the masked input with grain in its holes, relative to that
without (below 1 it rewards the grain); z of one against twelve steps; the distance between two halves of the ground truth,
which is bias; and the time per image on one thread. The next tables have the distances themselves.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.features import efficientnet_lite0 as lite0
from bench.features.registry import extractor
from bench.features.sources import resolve
from bench.metrics.frechet import distance, prepare
from bench.metrics.influence import FrechetEstimate, estimate_paired
from bench.metrics.statistics import standard_error
from maskgit.data.loading import load_test_set
from maskgit.errors import InputError
from maskgit.tiles import tiled
from tools.inpaintings import PAIRS, TILE, Versions, with_model, without_model

if TYPE_CHECKING:
    from collections.abc import Callable

DECIDED_Z = 2.0
TIMED_TILES = 5
HEAD = (
    "| features | D | right / undecided / wrong | grey holes over twelve steps, pasted | grainy over grey holes "
    "| z of one against twelve steps, as decoded / pasted | halves over grey holes | CPU ms per image |\n" + "|"
) + " --- |" * 8


@dataclass(frozen=True)
class Candidate:
    """Pooled outputs of stages (named by width) at a size; `scaled`: each to total variance 100 on the ground truth."""

    min_side: int
    widths: tuple[int, ...]
    scaled: bool

    @property
    def name(self) -> str:
        """Name in the table."""
        return f"{' + '.join(map(str, self.widths))}{', scaled' if self.scaled else ''}, {self.min_side} px"


CANDIDATES = (
    Candidate(64, (320,), False),
    Candidate(96, (320,), False),
    Candidate(64, (112, 320), True),
    Candidate(96, (112, 320), True),
    Candidate(64, (40, 112, 320), True),
    Candidate(96, (40, 112, 320), True),
    Candidate(64, (24, 40, 112, 320), True),
)

FeatureSets = dict[str, np.ndarray]
"""Features (N, D) by version."""


def total_variance(features: np.ndarray) -> float:
    """Trace of the covariance of features (N, D)."""
    return float(features.var(0, ddof=1).sum())


def candidate_features(
    candidate: Candidate, pooled: dict[str, dict[int, np.ndarray]]
) -> tuple[FeatureSets, list[float]]:
    """Features of every version, from the pooled outputs by version and width, and the factor of every width."""
    factors = [
        (100.0 / total_variance(pooled["truth"][width])) ** 0.5 if candidate.scaled else 1.0
        for width in candidate.widths
    ]
    joined = {
        version: np.concatenate([f * by_width[w] for w, f in zip(candidate.widths, factors, strict=True)], 1)
        for version, by_width in pooled.items()
    }
    return joined, factors


def stage_means(network: lite0.EfficientNetLite0, min_side: int, images: Tensor) -> Tensor:
    """Means over all pixels of every stage's output, joined."""
    return torch.cat([x.mean((2, 3)) for x in network.outputs(lite0.normalise(images, min_side))], 1)


def pool(network: lite0.EfficientNetLite0, versions: Versions, min_side: int) -> dict[str, dict[int, np.ndarray]]:
    """The stages' means by version and width."""
    widths = [stage[-1] for stage in lite0.STAGES]
    edges = np.cumsum(widths)[:-1]

    def by_width(images: Tensor) -> dict[int, np.ndarray]:
        means = tiled(partial(stage_means, network, min_side), images, TILE)
        return dict(zip(widths, np.split(means.numpy(), edges, 1), strict=True))

    return {version: by_width(images) for version, images in versions.items()}


def read_weights() -> dict[str, Tensor]:
    """The state dict of the installed package."""
    state: dict[str, Tensor] = torch.load(resolve("efficientnet-lite0").path, map_location="cpu", weights_only=True)
    return state


def milliseconds(network: Callable[[Tensor], object], images: Tensor) -> float:
    """CPU time per image: the fastest of a few tiles."""
    spent = []
    for _ in range(TIMED_TILES):
        started = time.process_time()
        network(images[:TILE])
        spent.append(time.process_time() - started)
    return 1000.0 * min(spent) / TILE


def z_score(worse: FrechetEstimate, better: FrechetEstimate) -> float:
    """Difference between the distances of the worse and the better set, in paired standard errors."""
    return (worse.value - better.value) / standard_error(worse.influence - better.influence)


@dataclass(frozen=True)
class Verdict:
    """Results of an extractor: paired distances to the ground truth by version, and z of every pair."""

    estimates: dict[str, FrechetEstimate]
    z: list[float]


def judge(features: FeatureSets) -> Verdict:
    """Measure every version against the ground truth."""
    truth = prepare(features["truth"])
    estimates = {name: estimate_paired(values, truth) for name, values in features.items() if name != "truth"}
    return Verdict(estimates, [z_score(estimates[worse], estimates[better]) for worse, better in PAIRS])


def line(name: str, features: FeatureSets, verdict: Verdict, cpu_ms: float) -> str:
    """A row of the first table."""
    right, wrong = sum(z >= DECIDED_Z for z in verdict.z), sum(z <= -DECIDED_Z for z in verdict.z)
    value = {version: estimate.value for version, estimate in verdict.estimates.items()}
    halves = distance(prepare(features["truth"][::2]), prepare(features["truth"][1::2]))
    z = dict(zip(PAIRS, verdict.z, strict=True))
    cells = [
        name,
        f"{features['truth'].shape[1]}",
        f"{right} / {len(PAIRS) - right - wrong} / {wrong}",
        f"{value['grey holes'] / value['twelve steps, pasted']:.2f}",
        f"{value['grainy holes'] / value['grey holes']:.2f}",
        " / ".join(f"{z[f'one step{how}', f'twelve steps{how}']:.1f}" for how in ("", ", pasted")),
        f"{halves / value['grey holes']:.3f}",
        f"{cpu_ms:.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


@torch.inference_mode()
def measure(versions: Versions, extractors: list[str]) -> dict[str, Verdict]:
    """Print the first table row by row; returns the verdicts by extractor and candidate."""
    print(HEAD)
    verdicts = {}

    def add(name: str, features: FeatureSets, cpu_ms: float) -> None:
        verdicts[name] = judge(features)
        print(line(name, features, verdicts[name], cpu_ms), flush=True)

    for name in extractors:
        embed = extractor(name).embed
        features = {version: tiled(embed, images, TILE).numpy() for version, images in versions.items()}
        add(name, features, milliseconds(embed, versions["truth"]))
    network = lite0.build(read_weights(), torch.device("cpu"))
    for min_side in sorted({candidate.min_side for candidate in CANDIDATES}):
        pooled = pool(network, versions, min_side)
        cpu_ms = milliseconds(partial(stage_means, network, min_side), versions["truth"])
        for candidate in (c for c in CANDIDATES if c.min_side == min_side):
            features, factors = candidate_features(candidate, pooled)
            print(f"{candidate.name}: factors {[round(f, 4) for f in factors]}", file=sys.stderr)
            add(candidate.name, features, cpu_ms)
    return verdicts


def print_details(versions: Versions, verdicts: dict[str, Verdict]) -> None:
    """Print z of every pair, and every distance."""
    columns = " | ".join(verdicts) + " |\n|" + " --- |" * (len(verdicts) + 1)
    print(f"\n| worse > better, z | {columns}")
    for index, (worse, better) in enumerate(PAIRS):
        print(f"| {worse} > {better} | " + " | ".join(f"{v.z[index]:.1f}" for v in verdicts.values()) + " |")
    print(f"\n| Fréchet distance | {columns}")
    for version in (name for name in versions if name != "truth"):
        values = " | ".join(f"{v.estimates[version].value:.4g}" for v in verdicts.values())
        print(f"| {version} | {values} |")


def main(argv: list[str] | None = None) -> None:
    """Read the test set, fill its holes in every way, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("masked", type=Path, help="folder of masked images")
    parser.add_argument("masks", type=Path, help="folder of masks, 0 = hole")
    parser.add_argument("ground_truth", type=Path, help="folder or CSV")
    parser.add_argument("--checkpoint", default="cats64", help="model that fills the holes")
    parser.add_argument("--extractor", action="append", default=[], help="name of an extractor to compare with")
    parser.add_argument("--limit", type=int, help="only the first images")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    test_set = load_test_set(
        masks=arguments.masks,
        masked_images=arguments.masked,
        ground_truth=arguments.ground_truth,
        limit=arguments.limit,
    )
    versions = without_model(test_set) | with_model(test_set, arguments.checkpoint)
    print(f"{len(test_set)} images, model {arguments.checkpoint}\n")
    print_details(versions, measure(versions, arguments.extractor))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
