"""Soak test: kill a run at random moments, or cut its power, resume it, and compare it with an undisturbed run.

    python -m tools.soak --kills 50 --power-cuts 12 > results/reference/soak.txt

A kill is SIGKILL. A power cut copies the disk image of the mounted file system that the run writes to, in its state at that
moment, and resumes on the copy; it needs root and a loop device. Every table is compared byte for byte in all columns that
are not times, and the store part by part. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from bench.files import table_bytes
from bench.store.store import ASIDE
from maskgit.checkpoints.native import save_native
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.files import TEMPORARY
from maskgit.tokenizer import VQGAN
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = ("cells", "images", "steps", "metrics", "references", "test_set")
TIMES = ("images_per_s", "ms_per_image", "throughput_source")
IMAGE_BYTES = 96 << 20
GRID = """
[model]
checkpoint = "./tiny"
[data]
dataset = "catfaces"
count = 8
[grid]
gamma = ["linear", "cosine"]
total_iter = 3
[metrics]
features = ["efficientnet-lite0"]
[throughput]
repeats = 1
checks = 0
warm_up = 0
[execution]
tile = 2
batch_size = 1
threads = 1
"""


def main() -> None:
    """Run the trials and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--power-cuts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="maskbench-soak-") as scratch:
        folder = Path(scratch)
        write_inputs(folder)
        start = time.monotonic()
        finish(folder, folder / "undisturbed")
        length_s = time.monotonic() - start
        failed = 0
        for trial, number in [(kill, arguments.kills), (cut_power, arguments.power_cuts)]:
            for index in range(1, number + 1):
                after_s = moments.uniform(0, length_s)
                differences = trial(folder, after_s)
                failed += bool(differences)
                verdict = f"DIFFERENT: {', '.join(differences)}" if differences else "the same"
                print(
                    f"{trial.__name__} {index}/{number} after {after_s / length_s:.0%} of a run: {verdict}", flush=True
                )
    print(f"{failed} of {arguments.kills + arguments.power_cuts} differ from the undisturbed run")
    sys.exit(failed > 0)


def kill(folder: Path, after_s: float) -> list[str]:
    """Kill a run after some seconds and finish it; returns the differences."""
    output = folder / "killed"
    process = start_run(folder, output)
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    differences = resumed(folder, output)
    shutil.rmtree(output)
    return differences


def cut_power(folder: Path, after_s: float) -> list[str]:
    """Resume a run from the state of the disk some seconds after its start; returns the differences."""
    image, copy = folder / "disk.img", folder / "copy.img"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with mounted(image, folder / "disk") as disk:
        process = start_run(folder, disk / "run")
        time.sleep(after_s)
        shutil.copyfile(image, copy)
        process.kill()
        process.wait()
    with mounted(copy, folder / "disk") as disk:
        return resumed(folder, disk / "run")


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """A file system in a file, mounted for the duration of a `with` block."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)


def write_inputs(folder: Path) -> None:
    """A small random checkpoint, and a grid for it."""
    widths = (32,) * 6
    sizes = TokenizerConfig(
        latent_dim=8, num_codebook_vectors=48, enc_channels=widths, dec_channels=widths[:5], enc_blocks=1, dec_blocks=1
    )
    transformer = TransformerConfig(num_codebook_vectors=48, dim=32, n_layers=2, hidden_dim=64, n_heads=4)
    save_native(folder / "tiny", VQGAN(sizes), BidirectionalTransformer(transformer), name="tiny")
    (folder / "grid.toml").write_text(GRID, encoding="utf-8")


def start_run(folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start the command `maskbench run`."""
    command = [sys.executable, "-m", "bench.cli", "run", str(folder / "grid.toml"), "--output", str(output), "--quiet"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})


def finish(folder: Path, output: Path) -> None:
    """Run to the end.

    Raises:
        RuntimeError: The command failed.
    """
    process = start_run(folder, output)
    errors = process.communicate()[1].decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode}: {errors}")


def resumed(folder: Path, output: Path) -> list[str]:
    """Finish a disturbed run with the same command; returns the differences from the undisturbed one."""
    try:
        finish(folder, output)
    except RuntimeError as error:
        return [str(error)]
    undisturbed = folder / "undisturbed"
    differences = [f"{name}.parquet" for name in TABLES if not same_table(undisturbed, output, name)]
    if parts(undisturbed) != parts(output):
        differences.append("store")
    if leftovers := [path.name for path in output.rglob(f"*{TEMPORARY}")]:
        differences.append(f"left over: {leftovers[0]}")
    return differences


def same_table(undisturbed: Path, output: Path, name: str) -> bool:
    """True if a table is the same in all columns that are not times."""
    tables = [pq.read_table(run / f"{name}.parquet") for run in (undisturbed, output)]
    plain = [table.drop_columns([column for column in TIMES if column in table.column_names]) for table in tables]
    return table_bytes(plain[0]) == table_bytes(plain[1])


def parts(output: Path) -> dict[str, bytes]:
    """Contents of every part of a store, by path; steps of trajectories may be in one part or in several."""
    store = output / "store"
    kept = [path for path in store.rglob("*.parquet") if ASIDE not in path.parts]
    return {str(path.relative_to(store)): path.read_bytes() for path in kept}


if __name__ == "__main__":
    main()
