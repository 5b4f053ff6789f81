"""The fast gradient of group normalisation is PyTorch's."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from maskgit.training.group_norm import FastGroupNorm, use_fast_group_norm

SHAPE = (3, 64, 6, 5)


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    x, dy = (3.0 * torch.randn(SHAPE, generator=draw) + 1.0 for _ in range(2))
    return tuple(part.to(dtype).contiguous(memory_format=torch.channels_last) for part in (x, dy))  # type: ignore[return-value]


def norms() -> tuple[nn.Sequential, nn.Sequential]:
    """The same layer twice, in a Sequential each: PyTorch's, and the fast one."""
    plain = nn.Sequential(nn.GroupNorm(32, SHAPE[1], eps=1e-6))
    draw = torch.Generator().manual_seed(2)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, generator=draw)
    fast = copy.deepcopy(plain)
    use_fast_group_norm(fast)
    assert isinstance(fast[0], FastGroupNorm)
    return plain, fast


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_output_and_gradients_are_those_of_pytorch(dtype: torch.dtype, tolerance: float) -> None:
    x, dy = inputs(dtype)
    results = []
    for norm in norms():
        leaf = x.detach().clone().requires_grad_()
        y = norm(leaf)
        gradients = torch.autograd.grad(y, [leaf, *norm.parameters()], dy)
        results.append([y.detach(), *gradients])
    assert torch.equal(results[0][0], results[1][0])
    for expected, actual in zip(*results, strict=True):
        scale = float(expected.abs().max())
        torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance * scale)


def test_parameters_and_their_names_stay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 64, 1), nn.Sequential(nn.GroupNorm(32, 64)))
    before = dict(model.named_parameters())
    use_fast_group_norm(model)
    assert {name: id(value) for name, value in model.named_parameters()} == {k: id(v) for k, v in before.items()}
