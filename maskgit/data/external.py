"""Read test images that another program inpainted, matched by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.decode import decode_as_rgb
from maskgit.data.folders import by_number, listed
from maskgit.data.problems import problem_list, short_name
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def read_external(folder: Path, numbers: Sequence[int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read one image for each number of a test set; the folder may hold more.

    Args:
        folder: Image files with the numbers in their names.
        numbers: The images' numbers.
        size: Height and width in pixels.

    Returns:
        uint8 (N, 3, H, W), in the order of the numbers.

    Raises:
        InputError: An image is missing, cannot be read or has the wrong size; one line.
    """
    files, problems = by_number(listed(folder))
    problems += [f"image {number}: no file with this number" for number in numbers if number not in files]
    images = []
    for number in numbers if not problems else ():
        try:
            image, _ = decode_as_rgb(files[number])
        except InputError as error:
            problems.append(f"{short_name(files[number])}: {error}")
            continue
        height, width = image.shape[1:]
        if (height, width) != size:
            problems.append(f"{short_name(files[number])}: {width}×{height}, the test images are {size[1]}×{size[0]}")
        images.append(image)
    if problems:
        remedy = "write one image per test image, of its size and with its number in the name"
        raise problem_list(str(folder), problems, remedy, total=len(numbers))
    return np.stack(images)
