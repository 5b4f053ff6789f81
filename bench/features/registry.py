"""Loaded feature extractors: from 8-bit images to the features that a Fréchet distance is taken of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.features.sources import EXTRACTORS, Source, resolve

if TYPE_CHECKING:
    from pathlib import Path

Network = Callable[[Tensor], Tensor]
"""Images (B, 3, H, W) uint8 on the extractor's device to features (B, D) float32."""


@dataclass(frozen=True)
class Extractor:
    """A loaded extractor: a network, and where its weights come from."""

    source: Source
    device: torch.device
    network: Network

    @property
    def name(self) -> str:
        """Its key in `bench.features.sources.EXTRACTORS`."""
        return self.source.name

    @property
    def label(self) -> str:
        """What its Fréchet distance is called: "FID" or "FD"."""
        return self.source.label

    @property
    def dim(self) -> int:
        """Features an image."""
        return self.source.dim

    @property
    def fingerprint(self) -> str:
        """What features depend on beside the images: code version and weights."""
        return self.source.fingerprint

    @property
    def verified(self) -> bool:
        """Whether the weights are the known ones."""
        return self.source.verified

    def embed(self, images: Tensor) -> Tensor:
        """Features (B, D) float32, on the extractor's device, of images (B, 3, H, W) uint8.

        The last bits depend on B: call it with tiles of a fixed size.
        """
        return self.network(images.to(self.device))


def extractor(
    name: str,
    *,
    device: str | torch.device = "cpu",
    weights: Path | None = None,
    allow_unverified: bool = False,
    download: bool = False,
) -> Extractor:
    """Find, check and load an extractor; the arguments are those of `sources.resolve`.

    Raises:
        InputError: Unknown name; no weights, or weights that are not the known ones or do not fit.
    """
    return load(resolve(name, weights, allow_unverified, download=download), device)


def load(source: Source, device: str | torch.device = "cpu") -> Extractor:
    """Load an extractor whose weights have been found and checked.

    Raises:
        InputError: The weights do not fit.
    """
    device = torch.device(device)
    module, _, function = EXTRACTORS[source.name].network.partition(":")
    return Extractor(source, device, getattr(import_module(module), function)(source, device))
