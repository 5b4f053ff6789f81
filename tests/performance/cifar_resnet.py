"""How many 64×64 images a second the bundled extractor takes: python tests/performance/cifar_resnet.py."""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from bench.features.registry import extractor
from bench.grid.sections import ExecutionSection
from bench.run import environment
from bench.run.embed import embed_images
from bench.run.runtime import Runtime
from maskgit.data.testset import catfaces_test_set


def main() -> None:
    """Measure, warmed up, and print the median and the range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tile", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    network, images = extractor("cifar-resnet"), catfaces_test_set(arguments.images).truth
    runtime = Runtime("cpu", environment.numerics(ExecutionSection(tile=arguments.tile), "cpu"))
    speeds = []
    for repeat in range(-1, arguments.repeats):  # the first warms up
        start = time.perf_counter()
        embed_images(network, images, runtime)
        if repeat >= 0:
            speeds.append(len(images) / (time.perf_counter() - start))
    print(
        f"{statistics.median(speeds):.0f} images/s ({min(speeds):.0f} to {max(speeds):.0f}; {arguments.images} images of "
        f"64×64, tiles of {arguments.tile}, {arguments.threads} threads, torch {torch.__version__})"
    )


if __name__ == "__main__":
    main()
