"""Measure the effect of common choices on a distance, on the built-in faces: python -m tools.fid_differences.

One setting is decoded with three seeds and composed in both ways. Its images are exported and scored by `maskbench fid`:
unchanged, from lossy files, and with fewer images. Prints the table of docs/why-my-fid-differs.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from PIL import Image

import bench
from bench.fid.compare import Comparison, compare
from bench.grid.spec import parse_spec
from bench.show.export import export_cell
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

SEEDS = (0, 1, 2)


def main() -> None:
    """Decode, export, score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_dataset(catfaces_test_set(count), folder / "faces")
        rows = measure(folder, count)
    base = rows["PNG, as exported"]
    weights = (base.weights_sha256 or "")[:12]
    print(
        f"{count} catfaces, linear, T 8, s 8, FD (efficientnet-lite0, weights {weights}…), torch {torch.__version__}\n"
    )
    print("| what | FD ± SE | relative to the first row |\n| --- | ---: | ---: |")
    for name, comparison in rows.items():
        change = comparison.scores.value / base.scores.value - 1
        print(f"| {name} | {comparison.scores.value:.3f} ± {comparison.scores.se:.3f} | {100 * change:+.1f} % |")


def measure(folder: Path, count: int) -> dict[str, Comparison]:
    """Comparisons of all variants by name; the first is the correct one."""
    spec = parse_spec(
        {
            "run": {"seeds": list(SEEDS)},
            "model": {"checkpoint": "catfaces"},
            "data": {"dataset": "catfaces", "count": count},
            "grid": {"gamma": "linear", "total_iter": 8, "sweet_spot": [8], "compose": ["none", "paste"]},
            "metrics": {"features": "efficientnet-lite0"},
            "throughput": {"repeats": 1},
        },
        "fid_differences",
    )
    run = bench.load(bench.run(spec, folder / "run"))
    exported = {}
    for _, cell in run.cells.iterrows():
        out = exported[cell.compose, cell.seed] = folder / f"{cell.compose}-{cell.seed}"
        export_cell(run, cell.cell_id, out)
    original, truth = exported["none", 0], folder / "faces" / "test_gt"
    rows = {"PNG, as exported": scored(original, truth)}
    for seed in SEEDS[1:]:
        rows[f"other seed: {seed}"] = scored(exported["none", seed], truth)
    rows["known pixels pasted back: compose = paste"] = scored(exported["paste", 0], truth)
    for quality in (95, 75):
        rows[f"saved as JPEG, quality {quality}"] = scored(as_jpeg(original, quality), truth)
    for part in (2, 4):
        rows[f"the first {count // part} images"] = scored(first(original, count // part), first(truth, count // part))
    return rows


def scored(images: Path, truth: Path) -> Comparison:
    """The paired comparison of two folders."""
    return compare(images, truth, features="efficientnet-lite0", paired=True, quiet=True)


def as_jpeg(images: Path, quality: int) -> Path:
    """A copy of a folder with lossy files."""
    out = images.with_name(f"{images.name}-{quality}")
    out.mkdir()
    for file in images.iterdir():
        Image.open(file).save(out / f"{file.stem}.jpg", quality=quality)
    return out


def first(images: Path, count: int) -> Path:
    """A copy of a folder with only its first images."""
    out = images.with_name(f"{images.name}-first-{count}")
    out.mkdir()
    for file in sorted(images.iterdir())[:count]:
        (out / file.name).write_bytes(file.read_bytes())
    return out


if __name__ == "__main__":
    main()
