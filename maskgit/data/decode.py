"""Decode image files as they are stored: the content decides the format, and nothing is converted silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Accepted formats, recognised by content. A closed list: some of Pillow's readers (EPS) start other programs."""

_OPAQUE = 255
_NEARLY_GREY = 8  # levels by which the channels of a grey image may differ after lossy compression

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image file.

    Attributes:
        pixels: uint8, (channels, H, W), 0…255.
        mode: Pillow's mode of the file.
        format: Pillow's name of the format.
    """

    pixels: NDArray[np.uint8]
    mode: str
    format: str


def decode(path: Path, channels: int) -> NDArray[np.uint8]:
    """Decode the pixels of one image as stored, uint8 (channels, H, W); see `decode_file`."""
    return decode_file(path, channels).pixels


def decode_file(path: Path, channels: int) -> Decoded:
    """Decode one image as it is stored; EXIF orientation is not applied.

    Args:
        path: PNG, JPEG, WebP, BMP, GIF, TIFF or PPM; the extension does not matter.
        channels: 3 for RGB (a palette counts as RGB); 1 for grey, bilevel, or RGB whose three channels are equal. An
            alpha channel that is opaque everywhere is dropped; any other is refused.

    Raises:
        InputError: the file is missing, empty, truncated, not an image, or has other channels. The message says only
            what is wrong; the caller adds the file name.
    """
    return _opened(
        path, lambda image: Decoded(_pixels(_without_alpha(image), channels), image.mode, image.format or "")
    )


def decode_as_rgb(path: Path) -> tuple[NDArray[np.uint8], str]:
    """Decode an image as RGB, converting other modes as tools without checks do.

    Grey and palettes become RGB, alpha is dropped, CMYK and the like are converted by Pillow. Grey of 16 bits is scaled
    to 8 (divided by 257, rounded); Pillow's conversion, and thus pytorch-fid's, clips it at 255.

    Returns:
        uint8 (3, H, W), and Pillow's mode of the file: "RGB" if nothing was converted.

    Raises:
        InputError: as `decode`; also for channels of more than 16 bits.
    """
    return _opened(path, _as_rgb)


def _opened(path: Path, read: Callable[[Image.Image], Result]) -> Result:
    try:
        if path.stat().st_size == 0:
            raise InputError("zero bytes")
        with Image.open(path, formats=FORMATS) as image:
            # Phones write MPO: a JPEG followed by a preview.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise InputError("several frames, want a single image")
            image.load()
            return read(image)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError("not an image, or cut off in its header") from None
    except FileNotFoundError:
        raise InputError("missing") from None
    except Exception as error:  # on damaged bytes a decoder may raise anything
        reason = one_line(str(error)) or type(error).__name__
        raise InputError(
            "truncated" if "truncated" in reason.lower() else f"cannot be decoded ({reason[:100]})"
        ) from error


def _as_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], str]:
    mode = image.mode
    if mode.startswith(("I", "F")):
        grey = np.asarray(image)
        if mode.startswith("F") or grey.min() < 0 or grey.max() > 65535:
            raise InputError(f"more than 16 bits per channel (mode {mode}), want 8")
        scaled = ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)
        return np.repeat(scaled[None], 3, axis=0), mode
    if mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the same colours as converting to RGB directly, without Pillow's warning
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1)), mode


def _without_alpha(image: Image.Image) -> Image.Image:
    """Drop an alpha channel that is opaque everywhere; refuse any other, which may hold the content."""
    mode = image.mode
    if mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in ("LA", "RGBA"):
        return image
    if np.asarray(image.getchannel("A")).min() < _OPAQUE:
        raise InputError(f"transparent in places (mode {mode}); save it without an alpha channel")
    return image.convert("L" if image.mode == "LA" else "RGB")


def _pixels(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    mode = image.mode
    if mode == "1":
        image = image.convert("L")
    elif mode == "P":
        image = image.convert("RGB")
    if image.mode == "RGB":
        rgb = np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)
        if channels == 3:
            return np.ascontiguousarray(rgb)
        if int((rgb.max(axis=0) - rgb.min(axis=0)).max()) > _NEARLY_GREY:
            raise InputError("three different channels, want one (or three equal ones)")
        return np.ascontiguousarray(rgb[1:2])
    if image.mode == "L" and channels == 1:
        return np.array(image, dtype=np.uint8)[None]
    bands = len(image.getbands())
    want = "three of 8 bits (RGB)" if channels == 3 else "one of 8 bits (L)"
    raise InputError(f"{bands} channel{'s' if bands > 1 else ''} (mode {mode}), want {want}")
