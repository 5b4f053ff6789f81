from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from maskgit.data.demo import walks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def masks() -> np.ndarray:
    return walks.hole_masks(np.arange(1_000_000, 1_000_600))


def test_shape_and_type(masks: np.ndarray) -> None:
    assert masks.shape == (600, 64, 64)
    assert masks.dtype == np.bool_
    assert walks.hole_masks(np.array([], dtype=np.int64)).shape == (0, 64, 64)


def test_a_mask_depends_on_its_index_alone() -> None:
    indices = np.array([3, 0, 2**40, 17, 3])
    together = walks.hole_masks(indices)
    alone = np.concatenate([walks.hole_masks(indices[k : k + 1]) for k in range(len(indices))])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(together[0], together[4])


def test_ratios_stay_in_their_range(masks: np.ndarray) -> None:
    ratios = masks.mean(axis=(1, 2))
    assert ratios.min() >= 0.10
    assert ratios.max() <= 0.30
    assert ratios.mean() == pytest.approx(0.208, abs=0.005)
    assert ratios.std() > 0.03


@pytest.mark.parametrize("hole_ratio", [(0.01, 0.02), (0.4, 0.5), (0.9, 0.95), (0.25, 0.25)])
def test_any_range_is_hit(hole_ratio: tuple[float, float]) -> None:
    ratios = walks.hole_masks(np.arange(20), size=32, hole_ratio=hole_ratio).mean(axis=(1, 2))
    assert hole_ratio[0] <= ratios.min()
    assert ratios.max() <= hole_ratio[1]


def test_a_hole_is_one_walk_without_gaps(masks: np.ndarray) -> None:
    for mask in masks[:100]:
        assert ndimage.label(mask)[1] == 1  # neighbours share an edge


def test_masks_differ_and_reach_everywhere(masks: np.ndarray) -> None:
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    share = masks.mean(axis=0)
    assert share.min() > 0.05
    assert share.max() < 0.40


def test_walls_hold_the_walk() -> None:
    """Consecutive places of a path are at most one step apart, all inside, though the walk meets every wall."""
    words = np.random.Philox(key=np.array([5, 9], dtype=np.uint64)).random_raw(400)
    path = walks._path(words, 2, 6, 9)
    y, x = np.divmod(path, 9)
    assert (y[0], x[0]) == (6, 2)
    assert set(np.unique(path)) == set(range(81))
    moved = np.abs(np.diff(y)) + np.abs(np.diff(x))
    assert set(np.unique(moved)) == {0, 1}
    # it stays only at a wall
    still = np.flatnonzero(moved == 0)
    assert (np.isin(y[still], (0, 8)) | np.isin(x[still], (0, 8))).all()


def test_masks_look_like_the_real_ones(masks: np.ndarray, shared: Path) -> None:
    files = sorted((shared / "data/cat-faces-64/mask64").iterdir())
    real = np.stack([np.asarray(Image.open(file).convert("L")) < 128 for file in files])

    def rim(holes: np.ndarray) -> float:
        across = (holes[:, 1:] != holes[:, :-1]).sum() + (holes[:, :, 1:] != holes[:, :, :-1]).sum()
        return float(across / holes.sum())

    def cells(holes: np.ndarray) -> float:
        return float(holes.reshape(-1, 16, 4, 16, 4).any(axis=(2, 4)).mean())

    assert masks.mean() == pytest.approx(real.mean(), abs=0.01)
    assert rim(masks) == pytest.approx(rim(real), rel=0.1)
    assert cells(masks) == pytest.approx(cells(real), rel=0.1)


@pytest.mark.parametrize("hole_ratio", [(0.0, 0.2), (0.3, 0.2), (0.5, 1.0), (0.0301, 0.0302)])
def test_bad_ratios_are_refused(hole_ratio: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="ratio"):
        walks.hole_masks(np.array([0]), size=16, hole_ratio=hole_ratio)


@pytest.mark.parametrize("bad", [np.array([-1]), np.array([0.5]), np.array([[1]])])
def test_bad_indices_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="indices must be"):
        walks.hole_masks(bad)
