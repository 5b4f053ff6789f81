"""A token is to be predicted when any pixel of its cell is in the hole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskgit.masks import token_mask


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_equals_a_look_at_every_cell(images: int, rows: int, columns: int, cell: int, seed: int) -> None:
    hole = np.random.default_rng(seed).random((images, rows * cell, columns * cell)) < 0.2
    found = token_mask(torch.from_numpy(hole), cell)
    assert found.dtype == torch.bool
    assert found.shape == (images, rows * columns)
    for b in range(images):
        for y in range(rows):
            for x in range(columns):
                pixels = hole[b, y * cell : (y + 1) * cell, x * cell : (x + 1) * cell]
                assert bool(found[b, y * columns + x]) == pixels.any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 63), st.integers(0, 63))
def test_one_pixel_opens_its_token_alone(y: int, x: int) -> None:
    hole = torch.zeros(1, 64, 64, dtype=torch.bool)
    hole[0, y, x] = True
    assert token_mask(hole, 4).nonzero().tolist() == [[0, y // 4 * 16 + x // 4]]


def test_a_cell_that_does_not_divide_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="64×62 pixels"):
        token_mask(torch.zeros(1, 64, 62, dtype=torch.bool), 4)
