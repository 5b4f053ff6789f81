"""An image of a report, ready to be embedded in a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class EmbeddedImage:
    """An image in a page.

    Attributes:
        title: The title.
        alt: Alternative text, for readers who cannot see the image.
        png: The bytes of the PNG file.
        notes: Notes that explain the image.
    """

    title: str
    alt: str
    png: bytes
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Width in pixels: the first number of the PNG's IHDR chunk (PNG specification, section 11.2.1)."""
        return int.from_bytes(self.png[16:20], "big")

    @property
    def height(self) -> int:
        """Height in pixels: the second number of the IHDR chunk."""
        return int.from_bytes(self.png[20:24], "big")

    @property
    def url(self) -> str:
        """The image as a data URL."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")
