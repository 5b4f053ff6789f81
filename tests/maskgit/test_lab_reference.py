"""Tokens, logits, every step's tokens and masks, and images of the loaded model equal those of the lab's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.decoding import Procedure, State, Step, trajectory
from maskgit.masks import token_mask
from maskgit.noise import STREAM_CODE
from maskgit.rules import named_rule
from maskgit.schedules import schedule

if TYPE_CHECKING:
    from maskgit.model import MaskedImageModel

V = 64
CLOSE = 1e-6
"""A token may differ where the CDF lies this near to the uniform."""


@dataclass(frozen=True)
class Reference:
    arrays: dict[str, np.ndarray]
    model: MaskedImageModel

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])


@pytest.fixture(scope="module")
def reference(shared: Path) -> Reference:
    folder = shared / "lab-reference"
    with np.load(folder / "reference.npz") as arrays:
        return Reference(dict(arrays), load_model(locate(str(folder), Path())))


def batches(size: int) -> list[slice]:
    return [slice(i, i + size) for i in range(0, 6, size)]


def test_mask_tokens(reference: Reference) -> None:
    assert torch.equal(
        token_mask(reference.tensor("masks_u8") == 0, reference.model.cell), reference.tensor("token_mask")
    )


@pytest.mark.parametrize("size", [1, 2, 6])
def test_tokens(reference: Reference, size: int) -> None:
    images = reference.tensor("masked_images_u8")
    for part in batches(size):
        assert torch.equal(reference.model.encode(images[part]), reference.tensor("tokens")[part].long())


def test_first_logits_lie_where_float16_rounds_to_the_reference(reference: Reference) -> None:
    """To 5e-6: fused attention sums in another order, which moves a logit by some 2e-6, maybe past a rounding boundary.

    With attention written out they are equal bit for bit: `test_lab.py` shows that.
    """
    tokens = torch.where(reference.tensor("token_mask"), V, reference.tensor("tokens").long())[:2]
    found = reference.model.logits(tokens).double().numpy()
    half = reference.arrays["first_logits"]
    edges = [(half.astype(float) + np.nextafter(half, np.float16(end)).astype(float)) / 2 for end in ("-inf", "inf")]
    assert (found >= edges[0] - 5e-6).all()
    assert (found <= edges[1] + 5e-6).all()


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize("name", ["cosine_12", "linear_8", "square_10"])
def test_every_step(reference: Reference, name: str, size: int) -> None:
    for part in batches(size):
        follow(reference, name, part)


def follow(reference: Reference, name: str, part: slice) -> None:
    """Decode as long as all agrees; where it does not, it must be a close call, and we go on from the reference."""
    gamma, total_iter = name.split("_")
    T = int(total_iter)
    first_tokens, first_mask = reference.tensor("tokens")[part].long(), reference.tensor("token_mask")[part]
    canvases = torch.cat([first_tokens[None], reference.tensor(f"{name}_tokens")[:, part].long()])
    masks = torch.cat([first_mask[None], reference.tensor(f"{name}_masks")[:, part]])
    uniforms = [reference.tensor(f"{name}_{kind}_uniforms")[:, part] for kind in ("sample", "gumbel")]
    done = 0
    while done < T:
        for step in trajectory(
            reference.model.logits,
            State(canvases[done], masks[done], first_mask.sum(1), V, done),
            Procedure(schedule(gamma), T, named_rule("lab")),
            lambda t, stream: uniforms[stream][t - 1],
        ):
            done = step.index
            if not agrees(step, canvases[done], masks[done]):
                uniform = uniforms[STREAM_CODE][done - 1].double()
                assert_close_call(reference, step, canvases[done - 1 : done + 1], masks[done - 1 : done + 1], uniform)
                break


def agrees(step: Step, canvas: Tensor, mask: Tensor) -> bool:
    return torch.equal(step.canvas, canvas) and torch.equal(step.mask, mask)


def assert_close_call(reference: Reference, step: Step, canvases: Tensor, masks: Tensor, uniform: Tensor) -> None:
    """Each token that differs has a CDF within CLOSE of its uniform; images without one agree, masks included."""
    differs = step.canvas != canvases[1]
    logits = reference.model.logits(torch.where(masks[0], V, canvases[0]))
    cdf = logits[..., :V].double().softmax(-1).cumsum(-1)
    distance = (cdf - uniform.unsqueeze(-1)).abs().amin(-1)
    assert (distance[differs] <= CLOSE).all(), f"step {step.index}: {differs.nonzero().tolist()} differ"
    same = ~differs.any(1)
    assert torch.equal(step.mask[same], masks[1][same]), f"step {step.index}: masks differ"


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize("name", ["cosine_12", "linear_8", "square_10"])
def test_images(reference: Reference, name: str, size: int) -> None:
    canvas, expected = reference.tensor(f"{name}_tokens")[-1].long(), reference.tensor(f"{name}_image_u8")
    for part in batches(size):
        found = reference.model.render(canvas[part])
        assert (found.int() - expected[part].int()).abs().max() <= 1
