"""Time our Fréchet distance against pytorch-fid's, from features to number: python tests/performance/frechet.py.

Prints the median of the repeats of both, their ratio and the relative difference of the numbers. A script rather
than a test, because the other side takes long and a busy machine must not fail a suite.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray
from pytorch_fid import fid_score

from bench.metrics.frechet import distance, frechet_distance, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

Array = NDArray[np.float64]


def sqrtm(matrix: Array, disp: bool = True) -> Array | tuple[Array, float]:
    """SciPy's square root with the `disp` that pytorch-fid 0.3.0 passes and SciPy 1.18 no longer takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Matrix is singular": with N < D it always is
        root = np.asarray(scipy.linalg.sqrtm(matrix))
    return root if disp else (root, 0.0)


def theirs(x: Array, y: Array) -> float:
    """What pytorch-fid does from features on."""
    moments = (np.mean(x, axis=0), np.cov(x, rowvar=False), np.mean(y, axis=0), np.cov(y, rowvar=False))
    return float(fid_score.calculate_frechet_distance(*moments))


def features(n: int, d: int, seed: int) -> Array:
    """Features (n, d) like pool3's: not negative, skewed, correlated, with a steep spectrum."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(d, d)) * np.exp(-np.arange(d) / (d / 6))[:, None]
    return np.maximum(rng.normal(size=(n, d)) @ mixing / np.sqrt(d) + 0.2, 0)


def timed(work: Callable[[], float], repeats: int) -> tuple[list[float], float]:
    """Seconds of each repeat, and the value."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - started)
    return seconds, value


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=747)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=15, help="of ours")
    parser.add_argument("--their-repeats", type=int, default=3)
    arguments = parser.parse_args()
    x, y = features(arguments.images, arguments.dim, 1), features(arguments.images, arguments.dim, 2) * 1.1 + 0.05
    reference = prepare(y)
    frechet_distance(x, y)  # warms up the BLAS threads

    fid_score.linalg = SimpleNamespace(sqrtm=sqrtm)
    rows = {
        "ours, from features": timed(lambda: frechet_distance(x, y), arguments.repeats),
        "ours, reference prepared": timed(lambda: distance(prepare(x), reference), arguments.repeats),
        "pytorch-fid, from features": timed(lambda: theirs(x, y), arguments.their_repeats),
    }
    slow = statistics.median(rows["pytorch-fid, from features"][0])
    print(f"N = {arguments.images}, D = {arguments.dim}, numpy {np.__version__}, scipy {scipy.__version__}")
    for name, (seconds, value) in rows.items():
        median = statistics.median(seconds)
        print(
            f"{name:28s} median {median * 1e3:10.1f} ms  (min {min(seconds) * 1e3:.1f}, max {max(seconds) * 1e3:.1f}, "
            f"{len(seconds)} repeats)  ratio {slow / median:7.1f}  distance {value:.9g}"
        )
    ours, other = rows["ours, from features"][1], rows["pytorch-fid, from features"][1]
    print(f"relative difference {abs(ours - other) / other:.2e}")


if __name__ == "__main__":
    main()
