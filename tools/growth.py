"""Growth table: memory of a run against its images and cells, with a model and an extractor that cost next to nothing.

    python -m tools.growth --images 100 1000 10000 --cells 2 16

Every run is a process of its own. The columns are the peak resident memory of this process in MiB: once the inputs have been
read, while blocks are computed, and at the end, when all scores and tables have been made.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from bench.features.sources import Entry, Request, Source, declare
from bench.grid.spec import parse_spec
from bench.results.folder import open_run
from bench.run import runner

FINGERPRINT = "growth 1"
SIDE, CELL, CODES, POOL = 64, 8, 32, 4
DIM = 3 * (SIDE // POOL) ** 2


class Model:
    """A model of 8 × 8 tokens, each of which is the mean grey of its pixels; it predicts all codes alike."""

    num_tokens, num_codes, image_size, cell = (SIDE // CELL) ** 2, CODES, SIDE, CELL

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Tokens (B, N) int64 of images (B, 3, H, W) uint8."""
        grey = torch.nn.functional.avg_pool2d(images.float().mean(1, keepdim=True), CELL)
        return (grey.flatten(1) * CODES / 256).long()

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Zero logits (B, N, V + 1)."""
        return torch.zeros(*tokens.shape, CODES + 1)

    def render(self, tokens: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) uint8 of tokens (B, N)."""
        grey = (tokens * 256 / CODES).to(torch.uint8).reshape(-1, 1, SIDE // CELL, SIDE // CELL)
        return grey.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3).repeat(1, 3, 1, 1)


def network(source: Source, device: torch.device) -> object:
    """An extractor of 768 features: the image in 16 × 16 pixels."""
    return lambda images: torch.nn.functional.avg_pool2d(images.float(), POOL).flatten(1)


def find(request: Request) -> Source:
    """The extractor's source; it has no weights."""
    return Source("growth", "FD", DIM, Path(__file__), FINGERPRINT, True, "growth-1")


def main() -> None:
    """Print the table, or run one of its lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--cells", type=int, nargs="+", default=[2, 16])
    parser.add_argument("--line", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.line:
        measure(arguments.images[0], arguments.cells[0])
        return
    print("| images | cells | inputs, MiB | blocks, MiB | end, MiB | features in the store, MiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for cells in arguments.cells:
        for images in arguments.images:
            command = [sys.executable, "-m", "tools.growth", "--line", "--images", str(images), "--cells", str(cells)]
            print(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout, end="", flush=True)


def measure(images: int, cells: int) -> None:
    """Run a grid and print its line of the table."""
    declare(Entry("growth", find, "tools.growth:network"))
    raw = {
        "model": {"checkpoint": "python:tools.growth:Model"},
        "data": {"dataset": "catfaces", "count": images},
        "grid": {"gamma": "cosine", "total_iter": cells, "sweet_spot": "all"},
        "metrics": {"features": "growth"},
        "throughput": {"repeats": 1, "checks": 0, "warm_up": 0},
        "execution": {"threads": 1, "device": "cpu", "tile": 64},
    }
    peaks, inpaint = [], runner._inpaint

    def measured(*arguments: object) -> object:
        peaks.append(peak_mib())
        counts = inpaint(*arguments)  # type: ignore[arg-type]
        peaks.append(peak_mib())
        return counts

    runner._inpaint = measured  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as scratch:
        output = runner.run(parse_spec(raw, "growth"), Path(scratch) / "run", quiet=True)
        stored = open_run(output).record.counts["unique_canvases"] * DIM * 4 / 2**20
    print(f"| {images:,} | {cells} | {peaks[0]:.0f} | {peaks[1]:.0f} | {peak_mib():.0f} | {stored:.1f} |")


def peak_mib() -> float:
    """Peak resident memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
