"""A picture of a report, ready to be written into a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A picture to show: its title, what it shows in words for those who cannot see it, its bytes as PNG, how to read it."""

    title: str
    alt: str
    png: bytes
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """In pixels: the first number of the PNG's IHDR chunk (PNG specification, section 11.2.1)."""
        return int.from_bytes(self.png[16:20], "big")

    @property
    def height(self) -> int:
        """In pixels: the second number of the IHDR chunk."""
        return int.from_bytes(self.png[20:24], "big")

    @property
    def url(self) -> str:
        """The picture itself, as an address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")
