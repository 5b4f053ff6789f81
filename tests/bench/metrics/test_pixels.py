"""Pixel errors in the hole: against a plain loop, blind outside the hole, capped, and refused where undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.pixels import PSNR_CAP_DB, mean_absolute_error, psnr_db
from maskgit.errors import InputError


def case(seed: int = 0, n: int = 3, height: int = 5, width: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images, truth = rng.integers(0, 256, (2, n, 3, height, width), dtype=np.uint8)
    hole = rng.random((n, height, width)) < 0.3
    hole[:, 0, 0] = True
    return images, truth, hole


@given(seed=st.integers(0, 2**32 - 1))
def test_equal_a_plain_loop_over_the_pixels_of_the_hole(seed: int) -> None:
    images, truth, hole = case(seed)
    for i, (psnr, mae) in enumerate(
        zip(psnr_db(images, truth, hole), mean_absolute_error(images, truth, hole), strict=True)
    ):
        places = list(zip(*hole[i].nonzero(), strict=True))
        errors = [int(images[i, c, y, x]) - int(truth[i, c, y, x]) for c in range(3) for y, x in places]
        assert mae == pytest.approx(sum(map(abs, errors)) / len(errors), rel=1e-14)
        assert psnr == pytest.approx(10 * math.log10(255**2 / (sum(e * e for e in errors) / len(errors))), rel=1e-14)


def test_pixels_outside_the_hole_do_not_count() -> None:
    images, truth, hole = case()
    other = np.where(hole[:, None], images, 255 - images)
    np.testing.assert_array_equal(psnr_db(other, truth, hole), psnr_db(images, truth, hole))
    np.testing.assert_array_equal(mean_absolute_error(other, truth, hole), mean_absolute_error(images, truth, hole))


def test_black_for_white_is_zero_db_and_the_whole_range() -> None:
    hole = np.ones((1, 4, 4), bool)
    black, white = np.zeros((1, 3, 4, 4), np.uint8), np.full((1, 3, 4, 4), 255, np.uint8)
    for pair in ((black, white), (white, black)):
        assert psnr_db(*pair, hole) == 0.0
        assert mean_absolute_error(*pair, hole) == 255.0


def test_an_exact_hole_scores_the_cap_and_no_error() -> None:
    images, _, hole = case()
    assert (psnr_db(images, images, hole) == PSNR_CAP_DB).all()
    assert (mean_absolute_error(images, images, hole) == 0).all()


def test_the_cap_lies_above_the_least_error_of_a_64_pixel_image() -> None:
    truth = np.zeros((1, 3, 64, 64), np.uint8)
    images = truth.copy()
    images[0, 1, 2, 3] = 1
    assert 89 < psnr_db(images, truth, np.ones((1, 64, 64), bool))[0] < PSNR_CAP_DB


def test_large_images_do_not_overflow() -> None:
    black, white = np.zeros((1, 3, 256, 256), np.uint8), np.full((1, 3, 256, 256), 255, np.uint8)
    assert psnr_db(black, white, np.ones((1, 256, 256), bool)) == 0.0


def test_images_are_scored_one_by_one() -> None:
    images, truth, hole = case(n=4)
    alone = np.concatenate([psnr_db(images[i : i + 1], truth[i : i + 1], hole[i : i + 1]) for i in range(4)])
    np.testing.assert_array_equal(psnr_db(images, truth, hole), alone)


@pytest.mark.parametrize("score", [psnr_db, mean_absolute_error])
def test_bad_input_gives_one_line_and_no_number(score: object) -> None:
    images, truth, hole = case()
    none = hole.copy()
    none[1] = False
    for arguments, says in [
        ((images, truth, none), "empty in 1 of 3 images, first in row 1"),
        ((images[:2], truth, hole), "do not fit"),
        ((images, truth, hole[:, :-1]), "do not fit"),
        ((images[0], truth[0], hole[0]), "do not fit"),
        ((images.astype(np.float32), truth, hole), "expected uint8"),
        ((images, truth, hole.astype(np.uint8)), "and bool"),
    ]:
        with pytest.raises(InputError, match=says) as error:
            score(*arguments)  # type: ignore[operator]
        assert "\n" not in str(error.value)
