"""One batch of images inpainted in one call, without a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maskgit.checkpoints.python_part import is_python
from maskgit.data.testset import HOLE_GREY
from maskgit.decoding import Procedure
from maskgit.errors import InputError
from maskgit.masked_batch import MaskedBatch
from maskgit.own_schedules import OwnGamma, load_gamma, values_at
from maskgit.rules import Rule, named_rule
from maskgit.schedules import Schedule, sampled, schedule
from maskgit.tiles import tiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maskgit.model import MaskedImageModel

TILE = 16
"""Images per network call; the harness's default, so that its results are the same to the last bit."""


@torch.inference_mode()
def inpaint(
    model: MaskedImageModel,
    images: Tensor,
    holes: Tensor,
    *,
    gamma: str | OwnGamma = "cosine",
    total_iter: int = 8,
    sweet_spot: int | None = None,
    seed: int = 0,
    rule: str | Rule = "lab",
    image_ids: Sequence[int] | None = None,
    paste: bool = False,
    tile: int = TILE,
) -> Tensor:
    """Fill the holes of a batch of images.

    A cell of `maskbench run` with the same settings, seed, image ids and tile gives the same bytes on one machine.

    Args:
        model: What `maskgit.load_model` returns.
        images: (B, 3, H, W) uint8; their holes are painted grey before anything sees them.
        holes: (B, H, W) bool, True = repaint.
        gamma: Mask schedule: a name of `maskgit.schedules`, "python:./file.py:function", or a function γ(r) that falls
            from 1 at r = 0 to 0 at r = 1.
        total_iter: T, steps that the schedule is cut into.
        sweet_spot: Step after which decoding stops, 1 … T; T unless given.
        seed: Of the noise.
        rule: How tokens are drawn and which are kept: "lab", "paper", or `Rule(choice_temperature=2.0, …)`.
        image_ids: The number of each image, which its noise depends on; 0 … B − 1 unless given.
        paste: Put the known pixels back; otherwise they are the tokenizer's, too.
        tile: Images per network call.

    Returns:
        (B, 3, H, W) uint8, on the model's device.

    Raises:
        InputError: Shapes, dtypes or settings that do not fit.
    """
    sweet_spot = total_iter if sweet_spot is None else sweet_spot
    image_ids = range(len(images)) if image_ids is None else image_ids
    _check(images, holes, image_ids, total_iter, sweet_spot, tile, model)
    if not len(images):
        return images
    masked = torch.where(holes.unsqueeze(1), HOLE_GREY, images)
    ids = torch.tensor(list(image_ids), dtype=torch.int64)
    batch = MaskedBatch(model, masked, holes, ids, tile)
    procedure = Procedure(_schedule(gamma, total_iter), total_iter, named_rule(rule) if isinstance(rule, str) else rule)
    *_, last = batch.steps(procedure, seed, until=sweet_spot)
    painted = tiled(model.render, last.canvas, tile)
    if paste:
        painted = torch.where(holes.unsqueeze(1).to(painted.device), painted, images.to(painted.device))
    return painted


def _schedule(gamma: str | OwnGamma, total_iter: int) -> Schedule:
    """The schedule that `gamma` names; a function of the user's own through its values."""
    if isinstance(gamma, str) and not is_python(gamma):
        return schedule(gamma)
    name = gamma if isinstance(gamma, str) else getattr(gamma, "__name__", repr(gamma))
    function = load_gamma(gamma, Path.cwd()) if isinstance(gamma, str) else gamma
    return sampled(values_at(function, total_iter, name))


def _check(
    images: Tensor,
    holes: Tensor,
    image_ids: Sequence[int],
    total_iter: int,
    sweet_spot: int,
    tile: int,
    model: MaskedImageModel,
) -> None:
    size = (model.image_size, model.image_size)
    if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != (3, *size):
        raise InputError(
            f"images are {tuple(images.shape)} {images.dtype}; this model takes (B, 3, {size[0]}, {size[1]}) torch.uint8"
        )
    if holes.dtype != torch.bool or tuple(holes.shape) != (len(images), *size):
        raise InputError(
            f"holes are {tuple(holes.shape)} {holes.dtype}; these images need {(len(images), *size)} torch.bool, "
            "True where to repaint"
        )
    if len(image_ids) != len(images):
        raise InputError(f"{len(image_ids)} image_ids for {len(images)} images; give one per image")
    if not 1 <= sweet_spot <= total_iter:
        raise InputError(f"sweet_spot = {sweet_spot}, total_iter = {total_iter}: give 1 ≤ sweet_spot ≤ total_iter")
    if tile < 1:
        raise InputError(f"tile = {tile}: give the number of images per network call, 1 or more")
