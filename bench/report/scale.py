"""Time, memory, disk and network of a grid on several workers, on paper: the keys of `scale` in `bench.report.plan`.

Sizes are upper bounds: equal canvases are stored once, and files are compressed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.document.text import duration, significant
from bench.grid.plan import flops
from bench.results.schema import IMAGES
from bench.run.references import decoded_trajectories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.model import Pairs
    from bench.grid.plan import Plan
    from bench.grid.spec import Spec
    from bench.run.inputs import Inputs

TOKENS, CODES = 256, 1024
"""Sizes that are assumed of a model whose sizes are not known before it is loaded."""
DIM = 2048
"""Features per image that are assumed of an extractor whose weights have not been found."""
SCORED_AT_ONCE = 1 << 30
"""Bytes of features that scoring holds at once, or those of one cell if they are more (bench.run.score)."""
GFLOPS = {"cpu": 50.0, "cuda": 10_000.0}
"""Speed of a worker that is assumed before a run has measured it, in 10⁹ operations per second; per core on a CPU."""
ADDRESS_BYTES = 32
MB = 1e6


@dataclass(frozen=True)
class Sizes:
    """Bytes per image, summed over all checkpoints unless said otherwise.

    Attributes:
        pixels: Masked image, hole and original, in the data set.
        tokens: Canvases and masks of every stored step.
        features: Features and pixel errors of every canvas.
        values: Values of every cell in the tables.
        logits: First logits of one checkpoint, the largest, while its block is decoded.
        block_features: Features of the canvases of one checkpoint, the largest.
        dim: Features per image, of all extractors.
        weights: Files of the largest checkpoint (in all, not per image).
    """

    pixels: int
    tokens: int
    features: int
    values: int
    logits: int
    block_features: int
    dim: int
    weights: int


def scale(
    spec: Spec,
    inputs: Inputs,
    dims: Sequence[int | None],
    device: str,
    workers: int,
    images: int,
    estimate_s: float | None,
) -> dict[str, Any]:
    """Predict a run on several workers.

    Args:
        spec: The spec.
        inputs: The inputs.
        dims: Features per image of every extractor; None if its weights have not been found.
        device: Device of a worker.
        workers: Number of workers.
        images: Test images.
        estimate_s: Seconds of decoding and rendering of the inputs' own images on one worker, if known.
    """
    sizes = _sizes(inputs, [dim or DIM for dim in dims])
    checkpoints = len(inputs.checkpoints)
    blocks = checkpoints * math.ceil(images / spec.execution.block)
    alone_s, assumptions = _seconds(spec, inputs, device, images, estimate_s)
    rounds = math.ceil(blocks / workers)
    block = min(spec.execution.block, images)
    scored = min(max(SCORED_AT_ONCE, 4 * sizes.dim * images), 4 * sizes.dim * images * len(inputs.plan.cells))
    disk = images * (sizes.tokens + sizes.features + sizes.values)
    if any(dim is None for dim in dims):
        assumptions.append(f"{DIM} features per image for an extractor whose weights have not been found")
    if any(checkpoint.transformer is None for checkpoint in inputs.checkpoints.values()):
        assumptions.append(f"{TOKENS} tokens of {CODES} codes per image for a Python model")
    return {
        "workers": workers,
        "images": images,
        "blocks": blocks,
        "blocks_s": None if alone_s is None else alone_s / blocks * rounds,
        "worker_memory_mb": (sizes.weights + block * (sizes.pixels + 2 * sizes.logits + 2 * sizes.block_features)) / MB,
        "driver_memory_mb": (sizes.weights + scored + images * (sizes.pixels + 8 * sizes.dim + 2 * sizes.values)) / MB,
        "disk_mb": disk / MB,
        "network_mb": (checkpoints * images * sizes.pixels + 2 * (disk - images * sizes.values)) / MB,
        "assumptions": assumptions,
    }


def _sizes(inputs: Inputs, dims: Sequence[int]) -> Sizes:
    height, width = inputs.test_set.hole.shape[-2:]
    dim, tokens, features, logits, largest, weights = sum(dims), 0, 0, 0, 0, 0
    for name, checkpoint in inputs.checkpoints.items():
        plan, config = inputs.plan.of(name), checkpoint.transformer
        N, V = (config.num_image_tokens, config.num_codebook_vectors) if config else (TOKENS, CODES)
        steps = sum(decoded_trajectories(plan).values())
        canvases = len(plan.composes) * (plan.canvases + 2)  # and those of the reference rows
        of_canvases = canvases * (4 * dim + 8 * ADDRESS_BYTES)
        tokens += steps * (2 * N + N // 8)
        features += of_canvases + 4 * dim
        logits, largest = max(logits, 4 * N * (V + 1)), max(largest, of_canvases)
        weights = max(weights, 2 * sum(path.stat().st_size for path in checkpoint.files.values()))  # float16 as float32
    return Sizes(7 * height * width, tokens, features, _bytes_of_values(inputs.plan), logits, largest, dim, weights)


def _bytes_of_values(plan: Plan) -> int:
    """Bytes per image of the columns of images.parquet, all cells together."""
    return len(plan.cells) * sum(8 if field.name != "cell_id" else ADDRESS_BYTES for field in IMAGES)


def _seconds(
    spec: Spec, inputs: Inputs, device: str, images: int, estimate_s: float | None
) -> tuple[float | None, list[str]]:
    """Seconds of decoding and rendering on one worker, and what they rest on."""
    without = "decoding and rendering alone: embedding, reading and scoring are not included"
    if estimate_s is not None:
        rest = "the speeds that the earlier run in this folder measured, on every worker"
        return estimate_s * images / len(inputs.test_set), [rest, without]
    total = 0.0
    for name, checkpoint in inputs.checkpoints.items():
        if checkpoint.tokenizer is None or checkpoint.transformer is None:
            return None, ["the speed of a Python model is not known before a first run in this folder"]
        total += flops(checkpoint.tokenizer, checkpoint.transformer).total(inputs.plan.of(name)) * images / 1e9
    kind = device.partition(":")[0]
    cores = spec.execution.threads if isinstance(spec.execution.threads, int) and kind == "cpu" else 1
    speed = GFLOPS.get(kind, GFLOPS["cpu"]) * cores
    return total / speed, [f"{speed:,.0f} GFLOP/s per worker, which no run in this folder has measured", without]


def scale_facts(content: dict[str, Any]) -> Pairs:
    """A prediction in words."""
    seconds = content["blocks_s"]
    return (
        ("workers", f"{content['workers']:,} for {content['blocks']:,} blocks of {content['images']:,} images"),
        ("time for the blocks", duration(seconds) if seconds is not None else "unknown for a Python model"),
        ("memory per worker", f"{_size(content['worker_memory_mb'])}, and the program itself"),
        ("memory of the run", f"{_size(content['driver_memory_mb'])}, and the program itself"),
        ("disk", f"{_size(content['disk_mb'])} at most"),
        ("network", f"{_size(content['network_mb'])} at most, to the store and back"),
    )


def _size(megabytes: float) -> str:
    return f"{significant(megabytes / 1000)} GB" if megabytes >= 1000 else f"{significant(megabytes)} MB"
