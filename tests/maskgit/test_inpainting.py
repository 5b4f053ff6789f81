"""A batch inpainted in one call: what it keeps, what it does not depend on, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

import maskgit
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.model import MaskedImageModel

B, TILE = 5, 4


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> MaskedImageModel:
    return maskgit.load_model(tiny_checkpoint, "cpu")


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    """Whole images, and holes."""
    test_set = catfaces_test_set(B)
    assert test_set.truth is not None
    return torch.from_numpy(test_set.truth), torch.from_numpy(test_set.hole)


def test_pasted_known_pixels_are_the_image_s_own(model: MaskedImageModel, batch: tuple[Tensor, Tensor]) -> None:
    images, holes = batch
    painted = maskgit.inpaint(model, images, holes, total_iter=2, paste=True, tile=TILE)
    assert painted.dtype == torch.uint8
    assert painted.shape == images.shape
    known = ~holes.unsqueeze(1).expand_as(images)
    assert torch.equal(painted[known], images[known])
    assert not torch.equal(painted, images)


def test_nothing_in_the_hole_is_seen(model: MaskedImageModel, batch: tuple[Tensor, Tensor]) -> None:
    images, holes = batch
    other = torch.where(holes.unsqueeze(1), 7, images)
    first, second = (maskgit.inpaint(model, pixels, holes, total_iter=2, tile=TILE) for pixels in (images, other))
    assert torch.equal(first, second)


def test_an_image_does_not_depend_on_its_batch(model: MaskedImageModel, batch: tuple[Tensor, Tensor]) -> None:
    images, holes = batch
    together = maskgit.inpaint(model, images, holes, total_iter=3, seed=5, tile=TILE)
    alone = maskgit.inpaint(model, images[3:4], holes[3:4], total_iter=3, seed=5, image_ids=[3], tile=TILE)
    assert torch.equal(alone[0], together[3])
    assert not torch.equal(maskgit.inpaint(model, images, holes, total_iter=3, seed=6, tile=TILE), together)


def test_an_earlier_sweet_spot_is_another_result_and_the_last_step_the_default(
    model: MaskedImageModel, batch: tuple[Tensor, Tensor]
) -> None:
    images, holes = batch
    by_spot = {
        spot: maskgit.inpaint(model, images, holes, total_iter=3, sweet_spot=spot, tile=TILE) for spot in (None, 1, 3)
    }
    assert torch.equal(by_spot[None], by_spot[3])
    assert not torch.equal(by_spot[1], by_spot[3])


def test_an_empty_batch_stays_empty(model: MaskedImageModel, batch: tuple[Tensor, Tensor]) -> None:
    images, holes = batch
    assert maskgit.inpaint(model, images[:0], holes[:0]).shape == (0, *images.shape[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(B, 3, 64, 64)}, "images are .* torch.float32; this model takes"),
        ({"images": torch.zeros(B, 3, 32, 32, dtype=torch.uint8)}, r"this model takes \(B, 3, 64, 64\)"),
        ({"holes": torch.zeros(B, 64, 64, dtype=torch.uint8)}, "holes are .* torch.uint8"),
        ({"holes": torch.zeros(1, 64, 64, dtype=torch.bool)}, r"these images need \(5, 64, 64\) torch.bool"),
        ({"sweet_spot": 9}, "sweet_spot = 9, total_iter = 8"),
        ({"sweet_spot": 0}, "sweet_spot = 0"),
        ({"image_ids": [1]}, "1 image_ids for 5 images"),
        ({"tile": 0}, "tile = 0"),
        ({"gamma": "cosines"}, "cosine"),
    ],
)
def test_what_does_not_fit_is_named(
    model: MaskedImageModel, batch: tuple[Tensor, Tensor], change: dict[str, object], message: str
) -> None:
    images, holes = batch
    with pytest.raises(InputError, match=message):
        maskgit.inpaint(**{"model": model, "images": images, "holes": holes, **change})  # type: ignore[arg-type]
