from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from maskgit.data.external import read_external
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / f"out_{number:03d}.png")
    return tmp_path


def test_images_come_in_the_order_of_the_numbers(folder: Path) -> None:
    images = read_external(folder, [4, 0, 2], (8, 8))
    assert images.shape == (3, 3, 8, 8)
    assert images[:, 0, 0, 0].tolist() == [4, 0, 2]


def test_every_number_needs_an_image(folder: Path) -> None:
    with pytest.raises(InputError, match="image 6: no file with this number"):
        read_external(folder, [5, 6], (8, 8))


def test_other_sizes_are_named(folder: Path) -> None:
    Image.new("RGB", (9, 8)).save(folder / "out_001.png")
    with pytest.raises(InputError, match=r"out_001\.png: 9×8, the test images are 8×8"):
        read_external(folder, [0, 1], (8, 8))


def test_a_file_that_is_no_image_is_named(folder: Path) -> None:
    (folder / "out_001.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"out_001\.png: not an image"):
        read_external(folder, [0, 1], (8, 8))
