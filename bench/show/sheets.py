"""Sheets: labelled tiles laid out on one image, from arrays alone (Pillow; no torch, no run folder)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.document.text import clean, to_ascii

Pixels = NDArray[np.uint8]  # (H, W, 3)
Box = tuple[int, int, int, int]  # x, y, width, height in screen pixels

ERROR_MAX = 128
"""Upper end of the error colour scale, in grey levels; larger errors look the same."""

PAPER, INK, MUTED = "#ffffff", "#1c1e21", "#5b6066"
STILL_MASKED = (78, 84, 140)
OUTSIDE = (226, 228, 231)  # known pixels of an error map
PALE = 0.35  # opacity of known pixels in tiles that show the fixed tokens
FONT_HAS = "·…±"  # characters beyond ASCII
INFERNO = (
    "000004 02020c 050417 0a0722 10092d 160b39 1e0c45 260c51 2f0a5b 380962 400a67 490b6a 510e6c "
    "59106e 61136e 69166e 71196e 781c6d 801f6c 88226a 902568 982766 a02a63 a82e5f b0315b b73557 "
    "bf3952 c63d4d cc4248 d34743 d94d3d df5337 e45a31 e9612b ed6925 f1711f f47918 f78212 f98b0b "
    "fa9407 fb9d07 fca60c fcb014 fbba1f fac42a f8cd37 f6d746 f4e156 f2ea69 f2f27d f5f992 fcffa4"
)
"""Every fifth of the 256 colours of Matplotlib's inferno, red, green and blue, hexadecimal."""


@dataclass(frozen=True, eq=False)
class Tile:
    """An image, (H, W, 3) uint8, with lines of text below it."""

    pixels: Pixels
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Row:
    """Tiles side by side, one per column, below a line of text (none if it is empty)."""

    heading: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows of tiles of one size, with a title, a subtitle, notes and the error scale; columns: lines above each column."""

    title: str
    subtitle: str
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


# --- contents of a tile ---------------------------------------------------------------------------------------------


def error_map(image: Pixels, truth: Pixels, hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean absolute error over channels, (H, W), in grey levels from 0 to 255; 0 outside the hole (H, W)."""
    error = np.abs(image.astype(np.int16) - truth).mean(2)
    return np.where(hole, error, 0.0)


def error_colours(error: NDArray[np.float64], hole: NDArray[np.bool_]) -> Pixels:
    """An error map in colours, (H, W, 3): black at 0, then red, pale yellow from `ERROR_MAX` up; grey outside the hole."""
    levels = np.rint(np.minimum(error / ERROR_MAX, 1.0) * 255).astype(np.uint8)
    return np.where(hole[..., None], _error_scale()[levels], np.array(OUTSIDE, np.uint8))


def fixed_tokens(canvas: Pixels, still: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Pixels:
    """The state after a step, (H, W, 3): known pixels pale, fixed tokens unchanged, masked tokens in one dark colour.

    Args:
        canvas: The whole canvas after the step, decoded.
        still: (H, W) bool, True where a token is still masked.
        asked: (H, W) bool, True where a token was to be predicted.
    """
    pale = np.rint(255 - PALE * (255.0 - canvas)).astype(np.uint8)
    pixels = np.where(asked[..., None], canvas, pale)
    return np.where(still[..., None], np.array(STILL_MASKED, np.uint8), pixels)


@cache
def _error_scale() -> Pixels:
    """Matplotlib's inferno, (256, 3): lightness rises evenly, also for colour-blind readers (Smith & van der Walt 2015)."""
    anchors = np.frombuffer(bytes.fromhex(INFERNO), np.uint8).reshape(-1, 3)
    levels = np.linspace(0, 255, len(anchors))
    channels = [np.interp(np.arange(256), levels, channel) for channel in anchors.T]
    return np.rint(np.stack(channels, 1)).astype(np.uint8)


# --- layout ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """A line of text with its upper left corner and its size, in screen pixels."""

    x: int
    y: int
    size: int
    ink: str
    text: str


@dataclass(frozen=True)
class Arrangement:
    """The layout of a sheet in screen pixels: size, lines of text, tiles by row and column, error scale."""

    width: int
    height: int
    words: tuple[Words, ...]
    tiles: tuple[tuple[Box, ...], ...]
    scale_bar: Box


def arrange(sheet: Sheet, scale: int) -> Arrangement:
    """Lay out a sheet; `scale` is the number of screen pixels per image pixel, and text grows with the tiles."""
    return _Layout(sheet, scale).arrangement()


class _Layout:
    """A layout in progress, from top to bottom: `y` is the position of the next item."""

    def __init__(self, sheet: Sheet, scale: int) -> None:
        self.sheet = sheet
        self.tile_height, self.tile_width = (scale * side for side in sheet.rows[0].tiles[0].pixels.shape[:2])
        self.size = min(26, max(11, round(self.tile_width / 10)))
        self.gap, self.margin = max(4, round(self.size / 2.5)), round(1.25 * self.size)
        self.widths = [_column_width(sheet, c, self.tile_width, self.size) for c in range(len(sheet.columns))]
        starts = np.cumsum([0, *self.widths]) + self.gap * np.arange(len(self.widths) + 1)
        self.lefts = [self.margin + int(start) for start in starts[:-1]]
        self.inner = max(int(starts[-1]) - self.gap, 24 * self.size)
        self.y = self.margin
        self.words: list[Words] = []

    def arrangement(self) -> Arrangement:
        self.write(self.sheet.title, round(1.25 * self.size), INK)
        self.write(self.sheet.subtitle, self.size, MUTED)
        self.y += 3 * self.gap
        self.column_titles()
        tiles = tuple(self.row(row) for row in self.sheet.rows)
        self.y += 3 * self.gap
        for note in self.sheet.notes:
            self.write(note, self.size, MUTED)
        self.y += self.gap
        bar = self.error_scale()
        return Arrangement(self.inner + 2 * self.margin, self.y + self.margin, tuple(self.words), tiles, bar)

    def write(self, text: str, size: int, ink: str) -> None:
        for line in wrapped(text, size, self.inner):
            self.put(self.margin, self.y, size, ink, line)
            self.y += _line_height(size)

    def put(self, x: int, y: int, size: int, ink: str, text: str) -> None:
        self.words.append(Words(x, y, size, ink, text))

    def column_titles(self) -> None:
        """Titles above the tiles, aligned at their last lines."""
        titles = [
            [line for text in title for line in wrapped(text, self.size, width)]
            for title, width in zip(self.sheet.columns, self.widths, strict=True)
        ]
        line, most = _line_height(self.size), max(map(len, titles))
        for x, lines in zip(self.lefts, titles, strict=True):
            for number, text in enumerate(lines, most - len(lines)):
                self.put(x, self.y + number * line, self.size, INK, text)
        self.y += most * line

    def row(self, row: Row) -> tuple[Box, ...]:
        self.y += self.gap
        if row.heading:
            self.y += 2 * self.gap
            self.write(row.heading, self.size, INK)
            self.y += self.gap // 2
        boxes = tuple((x, self.y, self.tile_width, self.tile_height) for x in self.lefts)
        self.y += self.tile_height + self.gap // 2
        line = _line_height(self.size)
        for x, tile in zip(self.lefts, row.tiles, strict=True):
            for number, text in enumerate(tile.captions):
                self.put(x, self.y + number * line, self.size, MUTED, drawable(text))
        self.y += max(len(tile.captions) for tile in row.tiles) * line
        return boxes

    def error_scale(self) -> Box:
        """The colours of the error maps, with their values below."""
        label, line = "error, grey levels", _line_height(self.size)
        self.put(self.margin, self.y, self.size, MUTED, label)
        bar = (self.margin + _length(label, self.size) + self.gap, self.y + self.size // 5, 10 * self.size, self.size)
        self.y += line
        for share, text in ((0.0, "0"), (0.5, f"{ERROR_MAX // 2}"), (1.0, f"{ERROR_MAX}+")):
            x = bar[0] + round(share * (bar[2] - _length(text, self.size)))
            self.put(x, self.y, self.size, MUTED, text)
        self.y += line
        return bar


def wrapped(text: str, size: int, within: int) -> list[str]:
    """Text as lines of at most `within` screen pixels, broken between words; a longer word gets its own line."""
    lines: list[str] = []
    for word in drawable(text).split():
        if lines and _length(f"{lines[-1]} {word}", size) <= within:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def drawable(text: str) -> str:
    """Text without terminal control characters, limited to characters of Pillow's own font."""
    return "".join(c if c.isascii() or c in FONT_HAS else to_ascii(c) for c in clean(text))


def _column_width(sheet: Sheet, column: int, tile: int, size: int) -> int:
    """Width of a column: the widest of its tile, the words of its title and its captions."""
    words = [word for text in sheet.columns[column] for word in drawable(text).split()]
    captions = [drawable(text) for row in sheet.rows for text in row.tiles[column].captions]
    return max(tile, *(_length(text, size) for text in (*words, *captions, "")))


def _line_height(size: int) -> int:
    return round(1.3 * size)


def _length(text: str, size: int) -> int:
    return int(np.ceil(_font(size).getlength(text)))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


# --- drawing --------------------------------------------------------------------------------------------------------


def draw(sheet: Sheet, scale: int = 2) -> Image.Image:
    """Draw a sheet as one RGB image; every pixel of a tile becomes a square of `scale` × `scale`."""
    page = arrange(sheet, scale)
    image = Image.new("RGB", (page.width, page.height), PAPER)
    pen = ImageDraw.Draw(image)
    for row, boxes in zip(sheet.rows, page.tiles, strict=True):
        for tile, (x, y, width, height) in zip(row.tiles, boxes, strict=True):
            image.paste(Image.fromarray(tile.pixels).resize((width, height), Image.Resampling.NEAREST), (x, y))
    x, y, width, height = page.scale_bar
    image.paste(Image.fromarray(_error_scale()[None]).resize((width, height)), (x, y))
    for line in page.words:
        pen.text((line.x, line.y), line.text, fill=line.ink, font=_font(line.size))
    return image


def as_png(image: Image.Image) -> bytes:
    """An image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
