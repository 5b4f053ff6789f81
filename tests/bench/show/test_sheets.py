from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFont

from bench.show.sheets import (
    ERROR_MAX,
    OUTSIDE,
    STILL_MASKED,
    Row,
    Sheet,
    Tile,
    arrange,
    draw,
    drawable,
    error_colours,
    error_map,
    fixed_tokens,
    wrapped,
)

HOSTILE = "<b>\x1b[31mred\x1b]0;title\x07 \u202eevil\r\nnext 猫"


def tile(seed: int, *captions: str) -> Tile:
    return Tile(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8), captions)


@pytest.fixture
def sheet() -> Sheet:
    rows = (
        Row("image 1 · hole 20.0 %", (tile(0, "input"), tile(1, "PSNR 20.00 dB", "influence +0.0123"))),
        Row("", (tile(2), tile(3, "an error of some length"))),
    )
    return Sheet("A title", "below it", ((), ("cosine · T 12 · s 10 · compose paste", "FD 20.17")), rows, ("A note.",))


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_every_pixel_of_a_tile_becomes_a_square_where_the_arrangement_says(sheet: Sheet, scale: int) -> None:
    page, image = arrange(sheet, scale), np.asarray(draw(sheet, scale))
    assert image.shape == (page.height, page.width, 3)
    for row, boxes in zip(sheet.rows, page.tiles, strict=True):
        for tile, (x, y, width, height) in zip(row.tiles, boxes, strict=True):
            assert (width, height) == (32 * scale, 24 * scale)
            squares = tile.pixels.repeat(scale, axis=0).repeat(scale, axis=1)
            assert np.array_equal(image[y : y + height, x : x + width], squares)


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_no_text_covers_a_tile_or_other_text_or_leaves_the_sheet(sheet: Sheet, scale: int) -> None:
    page = arrange(sheet, scale)
    taken = np.zeros((page.height, page.width), int)
    for x, y, width, height in (box for boxes in page.tiles for box in boxes):
        taken[y : y + height, x : x + width] += 1
    for word in page.words:
        width = drawn_width(word.text, word.size)
        assert word.x + width <= page.width
        assert word.y + word.size <= page.height
        taken[word.y : word.y + word.size, word.x : word.x + width] += 1
    assert taken.max() == 1


def drawn_width(text: str, size: int) -> int:
    return int(np.ceil(ImageFont.load_default(size).getlength(text)))


def test_error_is_the_mean_over_channels_and_nought_outside_the_hole() -> None:
    truth = np.full((2, 2, 3), 100, np.uint8)
    image = truth.copy()
    image[0, 0], image[0, 1], image[1, 0] = (130, 40, 100), 255, 0
    hole = np.array([[True, True], [False, True]])
    assert np.array_equal(error_map(image, truth, hole), [[30.0, 155.0], [0.0, 0.0]])


def test_colours_of_errors_are_those_of_inferno() -> None:
    hole = np.array([[True, True, True, True, False]])
    colours = error_colours(np.array([[0.0, ERROR_MAX / 2, ERROR_MAX, 255.0, 0.0]]), hole)[0]
    first, middle, last = (0, 0, 4), (188, 55, 84), (252, 255, 164)  # matplotlib's own table at 0, 128 and 255
    assert np.abs(colours[0].astype(int) - first).max() <= 1
    assert np.abs(colours[1].astype(int) - middle).max() <= 3
    assert np.abs(colours[2].astype(int) - last).max() <= 1
    assert np.array_equal(colours[3], colours[2])
    assert tuple(colours[4]) == OUTSIDE


def test_lightness_rises_with_the_error() -> None:
    errors = np.linspace(0, ERROR_MAX, 64)[None]
    colours = error_colours(errors, np.ones_like(errors, bool))
    lightness = np.asarray(Image.fromarray(colours).convert("L")).astype(int)[0]
    assert (np.diff(lightness) >= 0).all()
    assert lightness[-1] - lightness[0] > 200


def test_fixed_tokens_show_as_they_are_and_masked_ones_do_not_show() -> None:
    canvas = np.random.default_rng(4).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    asked, still = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    asked[:2], still[0] = True, True
    drawn = fixed_tokens(canvas, still, asked)
    assert (drawn[0] == STILL_MASKED).all()
    assert np.array_equal(drawn[1], canvas[1])
    assert (drawn[2:] >= canvas[2:]).all()  # paler


def test_wrapped_lines_hold_all_words_and_are_short_enough() -> None:
    text = "cosine · T 12 · s 10 · checkpoint a-very-long-name-that-fits-nowhere · seed 3"
    lines = wrapped(text, 13, 100)
    assert " ".join(lines).split() == text.split()
    assert all(drawn_width(line, 13) <= 100 or " " not in line for line in lines)
    assert wrapped("", 13, 100) == []


def test_hostile_text_is_drawn_as_plain_text() -> None:
    drawn = drawable(HOSTILE)
    assert drawn == "<b>red evil next ?"
    hostile = Sheet(HOSTILE, HOSTILE, ((HOSTILE,),), (Row(HOSTILE, (tile(0, HOSTILE),)),), (HOSTILE,))
    assert all(word.text.isprintable() for word in arrange(hostile, 2).words)
    assert draw(hostile).size == (arrange(hostile, 2).width, arrange(hostile, 2).height)
