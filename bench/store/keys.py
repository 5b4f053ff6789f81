"""Keys of stored work: everything that a layer's result depends on, and nothing else.

    layer       depends on
    ----------  -----------------------------------------------------------------------------------------
    model       checkpoint, image and mask bytes of the block, numerics
    trajectory  model, image ids, seed, gamma, total_iter, the decoding rule
    feature     model, extractor; rows are addressed by (image id, canvas, compose)
    pixels      model, ground truth of the block; rows are addressed as in the feature layer
    painted     recipe, image and mask bytes and ground truth of the block, extractor, numerics
    images      pixels of the images in order, extractor, numerics: a block's ground truth, images of `fid`

No key contains a sweet spot: it is a row of a trajectory. A changed pixel affects only its own block.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.grid.digest import digest
from bench.metrics.registry import added_pixel_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maskgit.config import Precision

ALGORITHM_VERSION = 1  # increase it when decoding, rendering or embedding may give different bytes
PIXELS_VERSION = 2  # increase it when the pixel errors of images against their originals may change
METRIC_VERSION = 1  # increase it when the same features may give a different distance
QUANTISATION = "uint8-round-half-up"  # of an image before its features are computed, as when saving a PNG


@dataclass(frozen=True)
class Numerics:
    """Everything that may change the last bit of a network's output."""

    device: str
    precision: Precision
    tile: int
    torch: str
    threads: int


@dataclass(frozen=True)
class BlockIdentity:
    """Content of a block of test images: ids, digests of masked image and mask, digests of the ground truth."""

    image_ids: tuple[int, ...]
    pixels: tuple[str, ...]
    truth: tuple[str, ...]


def model_key(checkpoint: str, block: BlockIdentity, numerics: Numerics) -> str:
    """Key of the tokens of a block's masked images and of their first logits."""
    return digest(["model", ALGORITHM_VERSION, checkpoint, block.pixels, asdict(numerics)])


def trajectory_key(model: str, block: BlockIdentity, settings: dict[str, Any]) -> str:
    """Key of the canvases of a trajectory; `settings` are those of decoding, without checkpoint and sweet spot."""
    return digest(["trajectory", model, block.image_ids, settings])


def feature_key(model: str, extractor: str) -> str:
    """Key of an extractor's features of a block's rendered canvases; `extractor` is its fingerprint."""
    return digest(["feature", model, extractor])


def pixels_key(model: str, block: BlockIdentity) -> str:
    """Key of the pixel errors of a block's rendered canvases against its ground truth."""
    return digest(["pixels", PIXELS_VERSION, model, block.truth, *added_pixel_metrics()])


def images_key(pixels: Sequence[str], extractor: str, numerics: Numerics) -> str:
    """Key of an extractor's features of images with these digests, in this order."""
    return digest(["reference", ALGORITHM_VERSION, pixels, extractor, asdict(numerics)])


def reference_key(block: BlockIdentity, extractor: str, numerics: Numerics) -> str:
    """Key of an extractor's features of a block's ground truth."""
    return images_key(block.truth, extractor, numerics)


def truth_tokens_key(checkpoint: str, block: BlockIdentity, numerics: Numerics) -> str:
    """Key of the tokens of a block's ground truth."""
    return digest(["truth tokens", ALGORITHM_VERSION, checkpoint, block.truth, asdict(numerics)])


def truth_likelihood_key(model: str, block: BlockIdentity) -> str:
    """Key of the likelihood of the ground-truth tokens under a block's first logits."""
    return digest(["truth likelihood", model, block.truth])


def painted_key(recipe: str, block: BlockIdentity, extractor: str, numerics: Numerics) -> str:
    """Key of a block's images in a reference row that needs no model: their features and pixel errors."""
    versions = [ALGORITHM_VERSION, PIXELS_VERSION, *added_pixel_metrics()]
    return digest(["painted", versions, recipe, block.pixels, block.truth, extractor, asdict(numerics)])
