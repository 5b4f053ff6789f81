"""Group normalisation with a fast gradient on channels-last tensors, where PyTorch's own takes half of a step's time."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn


class _GroupNorm(torch.autograd.Function):
    """PyTorch's forward pass; the gradient from two sums per channel instead of strided loops.

    With x̂ = (x − μ) ρ per image and group, y = γ x̂ + β and n values per group:
    ∂x = γ ρ ∂y + a x + c, a = (μ Σγ∂y − Σγ∂y·x) ρ³ / n, c = −a μ − ρ Σγ∂y / n.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        B, C, H, W = x.shape
        y, mean, rstd = torch.native_group_norm(x, weight, bias, B, C, H * W, groups, eps)
        ctx.save_for_backward(x, weight, mean.float(), rstd.float())
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = gradients
        x, weight, mean, rstd = ctx.saved_tensors
        (B, C, H, W), groups = x.shape, mean.shape[1]
        dy_sum, dy_x_sum = _channel_sums(dy), _channel_sums(dy * x)

        def by_group(sums: Tensor) -> Tensor:
            return cast("Tensor", (sums * weight).view(B, groups, -1).sum(2))

        def by_channel(values: Tensor) -> Tensor:
            return values.repeat_interleave(C // groups, 1)

        def broadcast(values: Tensor) -> Tensor:
            return values.view(B, C, 1, 1).to(x.dtype)

        count = C // groups * H * W
        slope = (by_group(dy_sum) * mean - by_group(dy_x_sum)) * rstd**3 / count
        offset = -slope * mean - by_group(dy_sum) * rstd / count
        constant = torch.addcmul(broadcast(by_channel(offset)), x, broadcast(by_channel(slope)))
        dx = torch.addcmul(constant, dy, broadcast(by_channel(rstd) * weight))
        d_weight = ((dy_x_sum - dy_sum * by_channel(mean)) * by_channel(rstd)).sum(0)
        return dx, d_weight, dy_sum.sum(0), None, None


class FastGroupNorm(nn.GroupNorm):
    """nn.GroupNorm with the gradient above; parameters and their names are the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        output: Tensor = _GroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)
        return output


def use_fast_group_norm(model: nn.Module) -> None:
    """Replace every nn.GroupNorm in `model`, in place; parameters are shared, so optimisers and averages keep them."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.GroupNorm:
                fast = FastGroupNorm(child.num_groups, child.num_channels, eps=child.eps)
                fast.weight, fast.bias = child.weight, child.bias
                setattr(module, name, fast)


def _channel_sums(values: Tensor) -> Tensor:
    """Sums (B, C), float32, over the pixels of (B, C, H, W)."""
    return values.sum((2, 3), dtype=torch.float32)
