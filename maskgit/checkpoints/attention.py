"""A reading of a user's attention: which tensors are q, k, v and the output, the row order, and the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from maskgit.checkpoints.attention_names import Layout, Projection, Shape, find_layout, split_key
from maskgit.config import STANDARD, VARIANTS
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.checkpoints.declared import Declared

PLAIN = (
    {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out": "out_proj"},
    {"q": "query", "k": "key", "v": "value", "out": "output_layer"},
    {"qkv": "qkv", "out": "proj"},
    {"qkv": "to_qkv", "out": "proj"},
)
"""The names that the lab layout documents: they have only one reading, so it enters no fingerprint."""
OURS = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out": "out_proj"}


@dataclass(frozen=True)
class Reading:
    """One way to read an attention.

    Attributes:
        layout: Roles of the tensors.
        order: Row order of the fused matrix, one of `declared.ORDERS`; None if there is none.
        variant: Arithmetic, one of `maskgit.config.VARIANTS`.
    """

    layout: Layout
    order: str | None
    variant: str = STANDARD

    @property
    def is_plain(self) -> bool:
        """True if it is the reading that the lab layout documents for its four sets of names."""
        names = {role: projection.name for role, projection in self.layout.projections.items()}
        return names in PLAIN and self.order in (None, "qkv") and self.variant == STANDARD

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that determines the result for given tensors, as JSON data."""
        projections = {role: projection.parts for role, projection in self.layout.projections.items()}
        return {"parts": projections, "heads": self.layout.heads, "order": self.order, "variant": self.variant}

    @property
    def settings(self) -> str:
        """Its settings as written in `grid.toml`."""
        order = [f'order = "{self.order}"'] if self.order else []
        return ", ".join([*order, f'variant = "{self.variant}"'])

    def describe(self) -> str:
        """The reading in words."""
        projections = self.layout.projections
        parts = [f"{role} = {projection.name}" for role, projection in projections.items()]
        if absent := [role for role, projection in projections.items() if not projection.bias]:
            parts.append(f"no bias in {', '.join(absent)}")
        if self.order is not None:
            parts.append(f"row order {self.order}")
        if self.variant != STANDARD:
            parts.append(f"variant {self.variant} ({VARIANTS[self.variant]})")
        return ", ".join([*parts, f"{self.layout.heads} heads"])

    def tensors(self, block: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert one block's attention tensors from the file's names to ours; absent biases are zero."""
        out: dict[str, Tensor] = {}
        for role, projection in self.layout.projections.items():
            ours = [OURS[letter] for letter in ([role] if role == "out" else role)]
            for kind in ("weight", "bias"):
                whole = self._whole(projection, block, kind)
                for name, part in zip(ours, self._split(whole, len(ours), projection), strict=True):
                    out[f"{name}.{kind}"] = part.contiguous()
        return out

    def _whole(self, projection: Projection, block: Mapping[str, Tensor], kind: str) -> Tensor:
        """All rows of a projection, with a list of small Linears joined; (rows, dim) or (rows,)."""
        tensors = {split_key(key): tensor for key, tensor in block.items()}
        if kind == "bias" and not projection.bias:
            weights = [tensors[part, "weight"] for part in projection.parts]
            return torch.zeros(sum(len(weight) for weight in weights))
        return torch.cat(
            [tensors[part, kind].flatten(1) if kind == "weight" else tensors[part, kind] for part in projection.parts]
        )

    def _split(self, whole: Tensor, count: int, projection: Projection) -> Sequence[Tensor]:
        """Split into the rows of q, k and v, each with its heads in order."""
        if projection.per_head or (count > 1 and self.order == "heads"):
            heads = self.layout.heads
            return cast(
                "Sequence[Tensor]", whole.unflatten(0, (heads, count, -1)).transpose(0, 1).flatten(1, 2).unbind(0)
            )
        return whole.chunk(count)


def layout_of_blocks(
    blocks: Sequence[Mapping[str, object]], dim: int, heads: int, declared: Declared, file: Path
) -> Layout:
    """Find the layout that the blocks of a file share; a block that differs is detected when its tensors are placed.

    Args:
        blocks: For each block, the entries below `blocks.i.Attention.`.
        dim: Width of the model.
        heads: Number of attention heads.
        declared: The user's declarations.
        file: Named in errors.

    Raises:
        CheckpointError: one line with the undetermined roles, the keys and shapes, and the setting to add.
    """
    signatures = {tuple(_shapes(block).items()): None for block in blocks}
    layouts: list[Layout] = []
    failure: CheckpointError | None = None
    for signature in signatures:
        try:
            layouts.append(find_layout(dict(signature), dim, heads, declared.keys))
        except CheckpointError as error:
            failure = failure or error
    if layouts:
        return min(layouts, key=lambda layout: len(layout.leftover))  # ties: the first
    shapes = dict(next(iter(signatures), ()))
    listing = ", ".join(f"{key} {shape}" for key, shape in shapes.items()) or "nothing"
    raise CheckpointError(
        f"{file}: blocks.*.Attention: {failure or 'no tensors'}; it holds {listing}; "
        f"say which is which, in [model]: attention_keys = {{{_proposal(shapes, dim)}}}"
    )


def is_inert(value: object, dim: int, heads: int) -> bool:
    """True if another entry provably changes nothing: a scale that is √d or its inverse, or a constant mask.

    A matrix or vector of weights is never inert, nor is a mask with different values.
    """
    if not isinstance(value, Tensor):
        return not isinstance(value, Mapping)
    if value.numel() == 0:
        return True
    head_dim = dim // heads
    if value.is_floating_point():
        scales = (head_dim**0.5, head_dim**-0.5)
        return value.numel() == 1 and any(abs(float(value) - scale) < 1e-5 * scale for scale in scales)
    if value.numel() == 1 and value.dtype != torch.bool:
        return int(value) in (head_dim, heads, dim)
    return bool((value == value.flatten()[0]).all())


def _shapes(block: Mapping[str, object]) -> dict[str, Shape]:
    return {key: tuple(value.shape) for key, value in block.items() if isinstance(value, Tensor)}


def _proposal(shapes: Mapping[str, Shape], dim: int) -> str:
    """Proposed `attention_keys`: the file's matrices in their order, for the user to correct."""
    modules = {
        split_key(key)[0]: shape[0] for key, shape in shapes.items() if split_key(key)[1] == "weight" and len(shape) > 1
    }
    fused = next((module for module, rows in modules.items() if rows == 3 * dim), None)
    roles = ("out",) if fused else ("q", "k", "v", "out")
    rest = [module for module in modules if module != fused]
    pairs = [("qkv", fused)] if fused else []
    pairs += [(role, rest[i] if i < len(rest) else "?") for i, role in enumerate(roles)]
    return ", ".join(f'{role} = "{module}"' for role, module in pairs)
