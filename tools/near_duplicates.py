"""Measure the error rates of the search for near-copies: python tools/near_duplicates.py FOLDER…

Reads the folders' distinct pictures, or renders as many `catfaces` where no folder is given, and prints two Markdown
tables, a row a threshold:

- false matches: how many pairs of distinct pictures, and what share of pictures among so many others, come within the
  threshold. Real photographs hold true near-copies, so theirs is an upper bound; `--pairs 30` names the nearest pairs,
  for a person to look at.
- hits: what share of changed copies comes within the threshold of its original, by change. A shifted pair is two
  windows of one picture, a few pixels smaller than it, so that each has an edge that the other lacks.

The pictures that are changed, and those that are searched for among all others, are drawn at random, seed 0.
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

Picture = NDArray[np.uint8]  # (3, H, W)
THRESHOLDS = (16, 24, 32, 36, 40, 44, 48, 52, 56, 60, 64)


def as_image(picture: Picture) -> Image.Image:
    """For Pillow."""
    return Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)))


def as_picture(image: Image.Image) -> Picture:
    """From Pillow."""
    return np.asarray(image).transpose(2, 0, 1)


def jpeg(picture: Picture, quality: int) -> Picture:
    """Encode and decode."""
    buffer = io.BytesIO()
    as_image(picture).save(buffer, "JPEG", quality=quality)
    return as_picture(Image.open(buffer))


def resized(picture: Picture, factor: float) -> Picture:
    """Resize with Pillow's default filter."""
    image = as_image(picture)
    return as_picture(image.resize((round(image.width * factor), round(image.height * factor))))


def window(picture: Picture, x: int, y: int, margin: int = 2) -> Picture:
    """What is left without a margin on every side, the window moved by (x, y)."""
    height, width = picture.shape[1:]
    return picture[:, margin + y : height - margin + y, margin + x : width - margin + x]


def brightened(picture: Picture) -> Picture:
    """Contrast up by a tenth, 8 grey levels brighter."""
    return np.clip(picture * 1.1 + 8, 0, 255).astype(np.uint8)


Change = Callable[[Picture], tuple[Picture, Picture]]
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
    "rotated by 5°": lambda p: (p, as_picture(as_image(p).rotate(5, Image.Resampling.BICUBIC))),
}
"""What is done to a picture: the copy in training, and the test image."""


def hits(pictures: list[Picture]) -> dict[str, NDArray[np.uint16]]:
    """Distance of every changed copy to its original."""
    found = {}
    for name, change in CHANGES.items():
        pairs = [change(picture) for picture in pictures]
        keys = near.hashes(near.thumbnail(original) for original, _ in pairs)
        queries = near.query_hashes([near.thumbnail(copy) for _, copy in pairs])
        rows = [near.distances(queries[i : i + 1], keys[i : i + 1])[0, 0] for i in range(len(pairs))]
        found[name] = np.array(rows, np.uint16)
    return found


def read(folders: list[Path], most: int) -> tuple[list[str], list[Picture]]:
    """Names and pixels of distinct pictures, drawn at random where there are more."""
    if not folders:
        return [f"catface {i}" for i in range(most)], list(catfaces.render(np.arange(most)))
    files = [(folder, path) for folder in folders for path in listed(folder)]
    pictures = [picture for folder in folders for picture in decoded(folder, listed(folder))]
    kept, _, _ = keep_distinct(digests(pictures))
    chosen = np.sort(np.random.default_rng(0).permutation(kept)[:most])
    return [str(files[i][1]) for i in chosen], [pictures[i] for i in chosen]


def table(header: list[str], rows: list[list[str]]) -> str:
    """In Markdown."""
    lines = [header, ["---:"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--images", type=int, default=10_000, help="pictures at most")
    parser.add_argument("--queries", type=int, default=1_000, help="of these that are searched for and changed")
    parser.add_argument("--pairs", type=int, default=0, help="nearest pairs to name")
    arguments = parser.parse_args()
    names, pictures = read(arguments.folders, arguments.images)
    asked = np.sort(np.random.default_rng(0).permutation(len(pictures))[: arguments.queries])

    thumbnails = [near.thumbnail(picture) for picture in pictures]
    bits = near.distances(near.query_hashes([thumbnails[i] for i in asked]), near.hashes(thumbnails))
    bits[np.arange(len(asked)), asked] = np.iinfo(np.uint16).max
    n_pairs = bits.size - len(asked)
    print(f"{len(asked)} pictures against {len(pictures) - 1} others, {n_pairs:,} ordered pairs\n")
    rows = [
        [str(t), str(int((bits <= t).sum())), f"{(bits <= t).sum() / n_pairs:.1e}", f"{(bits.min(1) <= t).mean():.2%}"]
        for t in THRESHOLDS
    ]
    print(table(["bits of 256", "false matches", "of all pairs", "pictures with one"], rows), end="\n\n")

    found = hits([pictures[i] for i in asked])
    rows = [[str(t), *(f"{(distances <= t).mean():.1%}" for distances in found.values())] for t in THRESHOLDS]
    print(table(["bits of 256", *found], rows))
    nearest = np.argsort(bits, axis=None, kind="stable")[: arguments.pairs]
    for row, column in zip(*np.unravel_index(nearest, bits.shape), strict=True):
        print(f"{bits[row, column]} bits: {names[asked[row]]} {names[column]}")


if __name__ == "__main__":
    main()
