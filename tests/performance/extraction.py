"""Time our extraction of Inception features against pytorch-fid's: python tests/performance/extraction.py.

Both read the same PNGs (catfaces, 64 × 64) and run the same network, with seeded random weights: a feature costs the same
whatever the weights are. Repeats alternate, so that a busy machine slows both down; wall-clock and CPU time are both
given, and the second is the one to look at on such a machine. A script rather than a test, which must not assert a time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from pytorch_fid import fid_score, inception
from torch import nn

from bench.features.inception import fid_inception
from bench.features.registry import load
from bench.features.sources import as_strict, resolve
from bench.fid.kinds import Images
from bench.fid.samples import open_sample
from bench.grid.sections import ExecutionSection
from bench.run import environment
from bench.run.embed import embed_images
from bench.run.runtime import Runtime
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from collections.abc import Callable


def write_weights(path: Path) -> None:
    """Write a seeded random state dict under which activations neither vanish nor explode."""
    torch.manual_seed(0)
    network = fid_inception()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)


def timed(work: Callable[[], np.ndarray]) -> tuple[float, float, np.ndarray]:
    """Wall-clock seconds, CPU seconds of all threads, and the features."""
    wall, cpu = time.perf_counter(), time.process_time()
    features = work()
    return time.perf_counter() - wall, time.process_time() - cpu, features


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tile", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        measure(Path(temporary), arguments)


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Extract by pytorch-fid, folded and strict, in turn."""
    write_weights(folder / "weights.pth")
    write_dataset(catfaces_test_set(arguments.images), folder / "faces")
    pngs = folder / "faces" / "test_gt"
    inception.load_state_dict_from_url = lambda *_, **__: torch.load(folder / "weights.pth", weights_only=True)
    theirs = inception.InceptionV3()
    source = resolve("inception", folder / "weights.pth", allow_unverified=True)

    runtime = Runtime("cpu", environment.numerics(ExecutionSection(tile=arguments.tile), "cpu"))

    def ours(extractor):
        sample = open_sample(pngs)
        assert isinstance(sample, Images)
        return embed_images(extractor, np.stack(sample.read(0, sample.n)), runtime)

    folded, strict = load(source), load(as_strict(source))
    ways: dict[str, Callable[[], np.ndarray]] = {
        "pytorch-fid, batch 50": lambda: fid_score.get_activations(sorted(pngs.glob("*.png")), theirs, num_workers=0),
        f"ours, tile {arguments.tile}": lambda: ours(folded),
        f"ours --strict, tile {arguments.tile}": lambda: ours(strict),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    features = {}
    for repeat in range(-1, arguments.repeats):  # the first warms up
        for name, work in ways.items():
            wall, cpu, features[name] = timed(work)
            if repeat >= 0:
                seconds[name].append((wall, cpu))

    print(
        f"{arguments.images} images, {arguments.threads} threads, torch {torch.__version__}, {arguments.repeats} repeats"
    )
    base, *_ = seconds.values()
    expected, *_ = features.values()
    for name, times in seconds.items():
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        ratios = [statistics.median(t[i] / o[i] for t, o in zip(base, times, strict=True)) for i in (0, 1)]
        error = np.abs(features[name] - expected).max() / expected.max()
        print(
            f"{name:24s} wall {medians[0]:7.2f} s, ×{ratios[0]:.2f}   CPU {medians[1]:7.2f} s, ×{ratios[1]:.2f}   "
            f"greatest difference / greatest feature {error:.1e}"
        )


if __name__ == "__main__":
    main()
