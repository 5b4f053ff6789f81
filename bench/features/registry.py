"""Loaded feature extractors: from 8-bit images to the features for a Fréchet distance."""

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
"""Function from images (B, 3, H, W) uint8 on the extractor's device to features (B, D) float32."""


@dataclass(frozen=True)
class Extractor:
    """A loaded extractor: a network and the source of its weights."""

    source: Source
    device: torch.device
    network: Network

    @property
    def name(self) -> str:
        """Its key in `bench.features.sources.EXTRACTORS`."""
        return self.source.name

    @property
    def label(self) -> str:
        """Name of its Fréchet distance: "FID" or "FD"."""
        return self.source.label

    @property
    def dim(self) -> int:
        """Number of features per image."""
        return self.source.dim

    @property
    def fingerprint(self) -> str:
        """Everything except the images that features depend on: code version and weights."""
        return self.source.fingerprint

    @property
    def verified(self) -> bool:
        """True if the weights are the known ones."""
        return self.source.verified

    def embed(self, images: Tensor) -> Tensor:
        """Features (B, D) float32, on the extractor's device, of images (B, 3, H, W) uint8.

        The last bits depend on B: call this function with tiles of a fixed size.
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
    """Locate, check and load an extractor; the arguments are those of `sources.resolve`.

    Raises:
        InputError: The name is unknown, or the weights are missing, not the known ones, or do not fit.
    """
    return load(resolve(name, weights, allow_unverified, download=download), device)


def load(source: Source, device: str | torch.device = "cpu") -> Extractor:
    """Load an extractor whose weights have been located and checked.

    Raises:
        InputError: The weights do not fit.
    """
    device = torch.device(device)
    path = "bench.features.own:network" if source.part else EXTRACTORS[source.name].network
    module, _, function = path.partition(":")
    return Extractor(source, device, getattr(import_module(module), function)(source, device))
