"""Training images: no test image and no picture twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from maskgit.data.dedup import digests
from maskgit.data.demo import catfaces
from maskgit.data.problems import ProblemList
from maskgit.errors import InputError
from maskgit.training.config import DataRecipe
from maskgit.training.data import describe, load_images

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, images: list[np.ndarray]) -> None:
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"image_{number:03d}.png")


def test_test_images_and_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    a, b, c, d, e, f = catfaces.render(np.arange(6))
    write(tmp_path / "train", [a, b, a, c, d, b])  # c and d are test images, a and b stand twice
    write(tmp_path / "test", [c, d, c])
    write(tmp_path / "val", [a, e, e, c, f])  # a is a training image, c a test image
    recipe = DataRecipe(folders=["train"], exclude_equal_to=["test"], val=["val"], catfaces=[6, 8])
    images = load_images(recipe, tmp_path, 64)
    assert digests(images.train) == digests(np.stack([a, b, *catfaces.render(np.arange(6, 8))]))
    assert digests(images.val["photographs"]) == digests(np.stack([e, f]))
    counts = images.counts
    assert (counts["train_files"], counts["train_excluded"], counts["train_duplicates"], counts["train_kept"]) == (
        6,
        2,
        2,
        2,
    )
    assert (counts["val_files"], counts["val_excluded"], counts["val_duplicates"], counts["val_kept"]) == (5, 2, 1, 2)
    assert "6 files, 2 equal to a test or training image and 2 duplicates dropped, 2 kept" in describe(counts)


def test_the_real_training_set_cleans_to_what_its_readme_says(shared: Path) -> None:
    recipe = DataRecipe(
        folders=["cat-faces-64/train"],
        exclude_equal_to=["cat-faces-64/test_gt"],
        val=["cat-faces-64/val"],
        val_limit=4,
    )
    images = load_images(recipe, shared / "data", 64)
    assert images.counts["excluded_digests"] == 733
    assert images.counts["train_files"] == 12_000
    assert images.counts["train_kept"] == len(images.train)
    assert len(images.train) + len(set(digests(images.train))) == 2 * len(images.train)
    kept_in_all = images.counts["train_kept"] + images.counts["val_kept"]
    assert kept_in_all == 8_570


def test_every_bad_file_of_every_folder_is_named_in_one_line(tmp_path: Path) -> None:
    good, other = catfaces.render(np.arange(2))
    for folder in ("train", "val", "test"):
        write(tmp_path / folder, [good, other])
    (tmp_path / "test" / "image_001.png").write_bytes(b"no picture")
    (tmp_path / "train" / "image_000.png").write_bytes(b"")
    Image.new("RGB", (32, 48)).save(tmp_path / "train" / "image_001.png")
    (tmp_path / "val" / "readme.txt").write_text("no number in this name")
    recipe = DataRecipe(folders=["train"], exclude_equal_to=["test"], val=["val"])
    with pytest.raises(ProblemList) as caught:
        load_images(recipe, tmp_path, 64)
    assert caught.value.problems == (
        "test/image_001.png: not an image, or cut off in its header",
        "train/image_000.png: zero bytes",
        "train/image_001.png: 32×48 pixels, want 64×64",
        "val/readme.txt: no number in its name",
    )
    assert "\n" not in str(caught.value)


def test_empty_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training image"):
        load_images(DataRecipe(catfaces_val=[0, 1]), tmp_path, 64)
    with pytest.raises(InputError, match="no validation image"):
        load_images(DataRecipe(catfaces=[0, 1]), tmp_path, 64)
    with pytest.raises(InputError, match="empty"):
        load_images(DataRecipe(catfaces=[4, 4]), tmp_path, 64)
