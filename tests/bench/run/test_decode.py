"""What a model must not do is named: trajectory, step and image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.grid.plan import make_plan
from bench.grid.sections import ExecutionSection
from bench.grid.spec import parse_spec
from bench.run import environment
from bench.run.blocks import Block
from bench.run.decode import MaskedBlock, run_trajectory
from bench.run.runtime import Runtime
from maskgit.errors import InputError

RUNTIME = Runtime("cpu", environment.numerics(ExecutionSection(tile=2), "cpu"))
SPEC = {"model": {"checkpoint": "m"}, "data": {"dataset": "catfaces"}, "grid": {"gamma": "cosine", "total_iter": 3}}


class BreaksLater:
    """Logits of 4 codes for 4 tokens; those of the image whose first token is 1 are NaN once a hole token is fixed."""

    num_tokens, num_codes, image_size, cell = 4, 4, 4, 2
    fingerprint = "breaks later"

    def encode(self, images_u8: Tensor) -> Tensor:
        return images_u8[:, 0, 0, :1].long().repeat(1, 4)

    def logits(self, tokens: Tensor) -> Tensor:
        logits = torch.zeros(len(tokens), 4, 5)
        broken = (tokens[:, 0] == 1) & (tokens[:, 1:] != 4).any(1)
        logits[broken] = torch.nan
        return logits

    def render(self, tokens: Tensor) -> Tensor:
        raise NotImplementedError


def test_logits_that_are_not_numbers_are_named_by_trajectory_step_and_image() -> None:
    images = np.zeros((3, 3, 4, 4), np.uint8)
    images[2] = 1
    hole = np.ones((3, 4, 4), bool)
    hole[:, :2, :2] = False
    block = Block(np.array([10, 20, 30]), images, hole, images, ("a", "b", "c"))
    trajectory = next(iter(make_plan(parse_spec(SPEC, "test"), ("m",)).trajectories))
    masked = MaskedBlock(BreaksLater(), block, RUNTIME)
    assert run_trajectory(masked, trajectory, None, until=1).last_step == 1
    with pytest.raises(InputError) as refusal:
        run_trajectory(masked, trajectory, None, until=3)
    message = str(refusal.value)
    for named in (f"m, {trajectory.trajectory_id}", "image 30", "step 2", "not numbers"):
        assert named in message
    assert masked.passes == 3 + 2 * 3
