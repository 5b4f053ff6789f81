"""Compare bfloat16 with float32: python tests/performance/precision.py prints a Markdown table, one row per tile.

Tokens and scores are exact for a machine. Speeds are ratios of CPU seconds of network calls that alternate within one
process, since wall time on a busy machine says little. A script rather than a test, which must not assert a time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import bench
from bench.grid.spec import parse_spec
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.data.testset import catfaces_test_set
from maskgit.decoding import Procedure
from maskgit.masked_batch import MaskedBatch
from maskgit.rules import Rule
from maskgit.schedules import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maskgit.model import MaskedImageModel

T = 8


def cpu_ratio(slow: Callable[[], object], fast: Callable[[], object], repeats: int) -> float:
    """Median over alternating repeats of CPU seconds of `slow` divided by those of `fast`, after a warm-up."""
    ratios = []
    for _ in range(repeats + 1):
        seconds = []
        for work in (slow, fast):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios[1:])


def differing_tokens(models: Sequence[MaskedImageModel], images: int, tile: int) -> float:
    """Share of the hole's tokens that differ after the first step of the same trajectory with the same noise."""
    test_set = catfaces_test_set(images)
    canvases = []
    for model in models:
        arrays = (test_set.masked, test_set.hole, test_set.image_ids)
        batch = MaskedBatch(model, *(torch.from_numpy(array) for array in arrays), tile)
        canvases.append(next(batch.steps(Procedure(SCHEDULES["cosine"], T, Rule()), seed=0, until=1)).canvas)
    return float((canvases[0] != canvases[1])[batch.mask].float().mean())


def change_of_score(folder: Path, arguments: argparse.Namespace, tile: int) -> str:
    """Change of FD from float32 to bf16 at the last step, ± its paired standard error, and FD in float32."""
    runs = []
    for precision in ("float32", "bf16"):
        spec = parse_spec(
            {
                "model": {"checkpoint": arguments.checkpoint},
                "data": {"dataset": "catfaces", "count": arguments.images},
                "grid": {"gamma": "cosine", "total_iter": T, "sweet_spot": T},
                "metrics": {"features": "efficientnet-lite0"},
                "throughput": {"repeats": 1, "warm_up": 0, "checks": 0},
                "execution": {"precision": precision, "tile": tile, "threads": arguments.threads, "device": "cpu"},
            },
            "precision.py",
        )
        runs.append(bench.run(spec, folder / f"{precision}-{tile}", quiet=True))
    row = bench.compare(*runs).rows[0]
    change = row.results[1].against_first
    return f"{change.value:+.1f} ± {change.se:.1f} (of {row.results[0].score:.1f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="catfaces")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tiles", type=int, nargs="+", default=[16])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    checkpoint = locate(arguments.checkpoint, Path.cwd())
    float32, bf16 = (load_model(checkpoint, precision=precision) for precision in ("float32", "bf16"))
    print("| tile | tokens that differ in step 1 | change of FD ± paired SE | speed of a step | speed of decoding |")
    print("| --- | --- | --- | --- | --- |")
    for tile in arguments.tiles:
        tokens = torch.randint(0, float32.num_codes, (tile, float32.num_tokens))
        step = cpu_ratio(lambda x=tokens: float32.logits(x), lambda x=tokens: bf16.logits(x), arguments.repeats)
        render = cpu_ratio(lambda x=tokens: float32.render(x), lambda x=tokens: bf16.render(x), arguments.repeats)
        share = differing_tokens((float32, bf16), arguments.images, tile)
        with tempfile.TemporaryDirectory() as temporary:
            change = change_of_score(Path(temporary), arguments, tile)
        print(f"| {tile} | {share:.2%} | {change} | ×{step:.2f} | ×{render:.2f} |", flush=True)


if __name__ == "__main__":
    main()
