"""Measure the error rates of the search for near-copies: python tools/near_duplicates.py FOLDER…

Reads the folders' distinct images, or renders `catfaces` if no folder is given, and prints two Markdown tables with one row
per threshold:

- false matches: the number of pairs of distinct images within the threshold, and the share of images with such a match
  among all others. Real photographs include true near-copies, so their rate is an upper bound; `--pairs 30` names the
  closest pairs for inspection by eye.
- hits: the share of changed copies within the threshold of their original, by change. A shifted pair is two windows of one
  image, a few pixels smaller than it, so that each has an edge that the other lacks.

The images that are changed, and those that are searched for among all others, are drawn at random with seed 0.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from maskgit.data import near
from maskgit.data.dedup import digests, keep_distinct
from maskgit.data.demo import catfaces
from maskgit.data.folders import listed
from maskgit.data.images import decoded

Pixels = NDArray[np.uint8]  # (3, H, W)
THRESHOLDS = (16, 24, 32, 36, 40, 44, 48, 52, 56, 60, 64)


def to_pillow(pixels: Pixels) -> Image.Image:
    """Convert (3, H, W) pixels to a Pillow image."""
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def to_pixels(image: Image.Image) -> Pixels:
    """Convert a Pillow image to (3, H, W) pixels."""
    return np.asarray(image).transpose(2, 0, 1)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Encode and decode."""
    buffer = io.BytesIO()
    to_pillow(pixels).save(buffer, "JPEG", quality=quality)
    return to_pixels(Image.open(buffer))


def resized(pixels: Pixels, factor: float) -> Pixels:
    """Resize with Pillow's default filter."""
    image = to_pillow(pixels)
    return to_pixels(image.resize((round(image.width * factor), round(image.height * factor))))


def window(pixels: Pixels, x: int, y: int, margin: int = 2) -> Pixels:
    """The window inside a margin on every side, moved by (x, y)."""
    height, width = pixels.shape[1:]
    return pixels[:, margin + y : height - margin + y, margin + x : width - margin + x]


def brightened(pixels: Pixels) -> Pixels:
    """Contrast increased by a tenth, and 8 grey levels brighter."""
    return np.clip(pixels * 1.1 + 8, 0, 255).astype(np.uint8)


Change = Callable[[Pixels], tuple[Pixels, Pixels]]
CHANGES: dict[str, Change] = {
    "mirrored": lambda p: (p, p[..., ::-1]),
    "JPEG 75": lambda p: (p, jpeg(p, 75)),
    "JPEG 50": lambda p: (p, jpeg(p, 50)),
    "brightened": lambda p: (p, brightened(p)),
    "enlarged ×2": lambda p: (p, resized(p, 2)),
    "shifted 1 px": lambda p: (window(p, 0, 0), window(p, 1, 0)),
    "2 px": lambda p: (window(p, 0, 0), window(p, 2, 0)),
    "2 px diagonally": lambda p: (window(p, 0, 0), window(p, 2, 2)),
    "3 px": lambda p: (window(p, -1, 0), window(p, 2, 0)),
    "mirrored, 1 px, JPEG 75": lambda p: (window(p, 0, 0), jpeg(window(p, 1, 1)[..., ::-1], 75)),
    "cropped by 2 px": lambda p: (p, window(p, 0, 0)),
    "rotated by 5°": lambda p: (p, to_pixels(to_pillow(p).rotate(5, Image.Resampling.BICUBIC))),
}
"""Changes of an image, each giving the copy in training and the test image."""


def hits(images: list[Pixels]) -> dict[str, NDArray[np.uint16]]:
    """Distance of every changed copy from its original, by change."""
    distances = {}
    for name, change in CHANGES.items():
        pairs = [change(pixels) for pixels in images]
        keys = near.hashes(near.thumbnail(original) for original, _ in pairs)
        queries = near.query_hashes([near.thumbnail(copy) for _, copy in pairs])
        rows = [near.distances(queries[i : i + 1], keys[i : i + 1])[0, 0] for i in range(len(pairs))]
        distances[name] = np.array(rows, np.uint16)
    return distances


def read(folders: list[Path], most: int) -> tuple[list[str], list[Pixels]]:
    """Names and pixels of at most `most` distinct images, drawn at random if there are more."""
    if not folders:
        return [f"catface {i}" for i in range(most)], list(catfaces.render(np.arange(most)))
    files = [(folder, path) for folder in folders for path in listed(folder)]
    images = [pixels for folder in folders for pixels in decoded(folder, listed(folder))]
    kept, _, _ = keep_distinct(digests(images))
    chosen = np.sort(np.random.default_rng(0).permutation(kept)[:most])
    return [str(files[i][1]) for i in chosen], [images[i] for i in chosen]


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---:"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--images", type=int, default=10_000, help="maximum number of images")
    parser.add_argument("--queries", type=int, default=1_000, help="number of images to search for and to change")
    parser.add_argument("--pairs", type=int, default=0, help="number of closest pairs to name")
    arguments = parser.parse_args()
    names, images = read(arguments.folders, arguments.images)
    asked = np.sort(np.random.default_rng(0).permutation(len(images))[: arguments.queries])

    thumbnails = [near.thumbnail(pixels) for pixels in images]
    bits = near.distances(near.query_hashes([thumbnails[i] for i in asked]), near.hashes(thumbnails))
    bits[np.arange(len(asked)), asked] = np.iinfo(np.uint16).max
    n_pairs = bits.size - len(asked)
    print(f"{len(asked)} images against {len(images) - 1} others, {n_pairs:,} ordered pairs\n")
    rows = [
        [str(t), str(int((bits <= t).sum())), f"{(bits <= t).sum() / n_pairs:.1e}", f"{(bits.min(1) <= t).mean():.2%}"]
        for t in THRESHOLDS
    ]
    print(table(["bits of 256", "false matches", "of all pairs", "images with one"], rows), end="\n\n")

    hit_distances = hits([images[i] for i in asked])
    rows = [[str(t), *(f"{(distances <= t).mean():.1%}" for distances in hit_distances.values())] for t in THRESHOLDS]
    print(table(["bits of 256", *hit_distances], rows))
    nearest = np.argsort(bits, axis=None, kind="stable")[: arguments.pairs]
    for row, column in zip(*np.unravel_index(nearest, bits.shape), strict=True):
        print(f"{bits[row, column]} bits: {names[asked[row]]} {names[column]}")


if __name__ == "__main__":
    main()
