"""How much the choices around a distance move it, on the built-in faces: python tools/fid_differences.py.

One setting is decoded with three seeds and composed in both ways; its pictures are exported, and scored by
`maskbench fid` as they are, from lossy files, and for fewer of them. Prints the table of docs/why-my-fid-differs.md.
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
    print(f"{count} catfaces, linear, T 8, s 8, FD (cifar-resnet, weights {weights}…), torch {torch.__version__}\n")
    print("| what | FD ± SE | to the first row |\n| --- | ---: | ---: |")
    for name, found in rows.items():
        change = found.scores.value / base.scores.value - 1
        print(f"| {name} | {found.scores.value:.3f} ± {found.scores.se:.3f} | {100 * change:+.1f} % |")


def measure(folder: Path, count: int) -> dict[str, Comparison]:
    """Every variant by its name, the first of them as it should be."""
    spec = parse_spec(
        {
            "run": {"seeds": list(SEEDS)},
            "model": {"checkpoint": "catfaces"},
            "data": {"dataset": "catfaces", "count": count},
            "grid": {"gamma": "linear", "total_iter": 8, "sweet_spot": [8], "compose": ["none", "paste"]},
            "metrics": {"features": "cifar-resnet"},
            "throughput": {"repeats": 1},
        },
        "fid_differences",
    )
    run = bench.load(bench.run(spec, folder / "run"))
    pictures = {}
    for _, cell in run.cells.iterrows():
        out = pictures[cell.compose, cell.seed] = folder / f"{cell.compose}-{cell.seed}"
        export_cell(run, cell.cell_id, out)
    original, truth = pictures["none", 0], folder / "faces" / "test_gt"
    rows = {"PNG, as exported": scored(original, truth)}
    for seed in SEEDS[1:]:
        rows[f"other noise: seed {seed}"] = scored(pictures["none", seed], truth)
    rows["known pixels put back: compose = paste"] = scored(pictures["paste", 0], truth)
    for quality in (95, 75):
        rows[f"saved as JPEG, quality {quality}"] = scored(as_jpeg(original, quality), truth)
    for part in (2, 4):
        rows[f"the first {count // part} images"] = scored(first(original, count // part), first(truth, count // part))
    return rows


def scored(pictures: Path, truth: Path) -> Comparison:
    """The paired comparison."""
    return compare(pictures, truth, features="cifar-resnet", paired=True, quiet=True)


def as_jpeg(pictures: Path, quality: int) -> Path:
    """A copy of a folder with lossy files."""
    out = pictures.with_name(f"{pictures.name}-{quality}")
    out.mkdir()
    for file in pictures.iterdir():
        Image.open(file).save(out / f"{file.stem}.jpg", quality=quality)
    return out


def first(pictures: Path, count: int) -> Path:
    """A copy of a folder with its first images only."""
    out = pictures.with_name(f"{pictures.name}-first-{count}")
    out.mkdir()
    for file in sorted(pictures.iterdir())[:count]:
        (out / file.name).write_bytes(file.read_bytes())
    return out


if __name__ == "__main__":
    main()
