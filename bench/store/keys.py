"""Keys of stored work: what each layer's result depends on, and nothing else.

    layer       depends on
    ----------  -----------------------------------------------------------------------------------------
    model       checkpoint, image and mask bytes of the block, numerics
    trajectory  model, image ids, seed, gamma, total_iter, the decoding rule
    feature     model, extractor; rows are found by (image id, canvas, compose)
    pixels      model, ground truth of the block; rows are found likewise
    painted     recipe, image and mask bytes and ground truth of the block, extractor, numerics
    pictures    pixels of the pictures in their order, extractor, numerics: a block's ground truth; what `fid` keeps

A sweet spot stands in no key: it is a row of a trajectory. A changed pixel touches its own block only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.grid.digest import digest
from bench.metrics.registry import added_pixel_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM_VERSION = 1  # raise it whenever decoding, rendering or embedding may give other bytes than before
PIXELS_VERSION = 2  # raise it whenever the errors of pictures against their originals may change
METRIC_VERSION = 1  # raise it whenever the same features may give another distance than before
QUANTISATION = "uint8-round-half-up"  # of a picture before its features are taken, as saving a PNG does


@dataclass(frozen=True)
class Numerics:
    """What may change the last bit of a network's output."""

    device: str
    precision: str
    tile: int
    torch: str
    threads: int


@dataclass(frozen=True)
class BlockIdentity:
    """A block of test images by content: ids, digests of masked image and mask, digests of the ground truth."""

    image_ids: tuple[int, ...]
    pixels: tuple[str, ...]
    truth: tuple[str, ...]


def model_key(checkpoint: str, block: BlockIdentity, numerics: Numerics) -> str:
    """Key of the tokens of a block's masked images, and of its first logits."""
    return digest(["model", ALGORITHM_VERSION, checkpoint, block.pixels, asdict(numerics)])


def trajectory_key(model: str, block: BlockIdentity, settings: dict[str, Any]) -> str:
    """Key of the canvases of a trajectory; `settings` steer decoding, checkpoint and sweet spot not among them."""
    return digest(["trajectory", model, block.image_ids, settings])


def feature_key(model: str, extractor: str) -> str:
    """Key of an extractor's features of a block's rendered canvases; `extractor` is its fingerprint."""
    return digest(["feature", model, extractor])


def pixels_key(model: str, block: BlockIdentity) -> str:
    """Key of the pixel errors of a block's rendered canvases against its ground truth."""
    return digest(["pixels", PIXELS_VERSION, model, block.truth, *added_pixel_metrics()])


def pictures_key(pixels: Sequence[str], extractor: str, numerics: Numerics) -> str:
    """Key of an extractor's features of pictures with these digests, in this order."""
    return digest(["reference", ALGORITHM_VERSION, pixels, extractor, asdict(numerics)])


def reference_key(block: BlockIdentity, extractor: str, numerics: Numerics) -> str:
    """Key of an extractor's features of a block's ground truth."""
    return pictures_key(block.truth, extractor, numerics)


def truth_tokens_key(checkpoint: str, block: BlockIdentity, numerics: Numerics) -> str:
    """Key of the tokens of a block's ground truth."""
    return digest(["truth tokens", ALGORITHM_VERSION, checkpoint, block.truth, asdict(numerics)])


def truth_likelihood_key(model: str, block: BlockIdentity) -> str:
    """Key of the likelihood of the ground truth's tokens under a block's first logits."""
    return digest(["truth likelihood", model, block.truth])


def painted_key(recipe: str, block: BlockIdentity, extractor: str, numerics: Numerics) -> str:
    """Key of a reference row that needs no model: its pictures' features and errors over a block."""
    versions = [ALGORITHM_VERSION, PIXELS_VERSION, *added_pixel_metrics()]
    return digest(["painted", versions, recipe, block.pixels, block.truth, extractor, asdict(numerics)])
