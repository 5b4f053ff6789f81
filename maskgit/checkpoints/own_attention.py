"""The transformer with the user's own attention class; the rest is the common template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from maskgit.checkpoints.tensors import place, shapes
from maskgit.checkpoints.user_code import CodeReference, UserCode, load
from maskgit.errors import CheckpointError
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maskgit.config import TransformerConfig

TOLERANCE = 1e-3  # relative to the largest output: rounding stays far below, other arithmetic is far above
TEMPLATE = ("LayerNorm1", "LayerNorm2", "MLP")  # a block's other modules


class OwnAttentionTransformer(BidirectionalTransformer):
    """Tokens (B, N), with the mask token at masked positions, to logits (B, N, V + 1), with the user's attention.

    With `image_by_image`, the blocks get one image at a time.
    """

    def __init__(self, cfg: TransformerConfig, code: UserCode) -> None:
        super().__init__(cfg)
        self.code = code
        self.image_by_image = False
        for block in self.blocks:
            block.Attention = _construct(code, cfg.dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits over all V codes and the mask token at every position."""
        rows = [row[None] for row in tokens] if self.image_by_image else [tokens]
        with self.code.errors("forward"):
            return torch.cat([super(OwnAttentionTransformer, self).forward(row) for row in rows])

    def settle_batch(self) -> None:
        """Find out on noise whether images can share a batch, on the device of the weights.

        Raises:
            CheckpointError: the attention cannot run, or its output has the wrong type or shape.
        """
        cfg = self.config
        attention = self.blocks[0].get_submodule("Attention")
        shape = (cfg.num_image_tokens, cfg.dim)
        self.image_by_image = not is_batch_independent(attention, shape, self.code, self.pos_emb.device)

    @property
    def reading(self) -> str:
        """Description of the attention for reports."""
        return f"the attention is the user's own class {self.code.reference.name} ({self.code.reference.file.name})"

    @property
    def caveats(self) -> tuple[str, ...]:
        """Caveats for reports."""
        if not self.image_by_image:
            return ()
        name = self.code.reference.name
        return (f"{name} mixes the images of a batch, so the transformer takes them one by one, which is slower.",)


def build_own(cfg: TransformerConfig, reference: CodeReference) -> OwnAttentionTransformer:
    """Build the transformer without its trained weights; leaves the global generator and default dtype as they were.

    Raises:
        CheckpointError: the class cannot be loaded or constructed.
    """
    dtype = torch.get_default_dtype()
    try:
        with torch.random.fork_rng(devices=[]):
            return OwnAttentionTransformer(cfg, load(reference))
    finally:
        torch.set_default_dtype(dtype)


def place_own(state: Mapping[str, object], transformer: OwnAttentionTransformer, file: Path) -> dict[str, Tensor]:
    """Rename the tensors of a transformer's bare state dict to the transformer's keys; attention tensors keep their dtype.

    The attention may have any name within a block (`Attention`, `attn`, …).

    Raises:
        CheckpointError: tensors that are missing, unexpected, misshaped or not finite.
    """
    state = _with_template_names(state)
    expected = transformer.state_dict()
    own = {key for key in (*state, *expected) if ".Attention." in key}
    missing = sorted(_without_block(key) for key in own if key in expected and key not in state)
    extra = sorted(_without_block(key) for key in own if key in state and key not in expected)
    if missing or extra:
        faults = {"missing": missing, "unexpected": extra}
        listing = "; ".join(f"{fault} {', '.join(dict.fromkeys(keys))}" for fault, keys in faults.items() if keys)
        raise CheckpointError(
            f"{file}: its attention does not fit {transformer.code.reference}: {listing}; "
            "name the class that this file was trained with"
        )
    # Tables of indices and the like are not weights, and `place` accepts floating-point tensors only.
    exact = {key for key, tensor in expected.items() if not tensor.is_floating_point()}
    for key in exact:
        tensor = state[key]
        if not isinstance(tensor, Tensor) or tensor.shape != expected[key].shape:
            raise CheckpointError(
                f"{file}: {key} must be a tensor of {tuple(expected[key].shape)}; use the config trained with"
            )
    weights = {key: tensor for key, tensor in state.items() if key not in exact}
    sizes = {key: shape for key, shape in shapes(transformer).items() if key not in exact}
    placed = place(weights, sizes, file=file, what="transformer")
    return placed | {key: tensor for key, tensor in state.items() if key in exact and isinstance(tensor, Tensor)}


@torch.inference_mode()
def is_batch_independent(
    attention: nn.Module, shape: tuple[int, int], code: UserCode, device: torch.device | str = "cpu"
) -> bool:
    """True if an image's output is the same alone and in a batch, on noise of `shape` = (N, D) per image.

    Raises:
        CheckpointError: on one image, it fails, returns no finite tensor of its input's shape, or differs between calls.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((3, *shape), generator=generator).to(device)
    with code.errors("forward"):
        alone = [attention(image[None].clone()) for image in images]
        again = attention(images[:1].clone())
    for output in alone:
        _check_output(output, (1, *shape), code)
    together = torch.cat(alone)
    if not _close(again, alone[0], together):
        raise CheckpointError(
            f"{code.reference}: forward: gives other numbers every time; use nn.Dropout, or F.dropout(…, self.training)"
        )
    try:
        batch = attention(images.clone())
    except torch.OutOfMemoryError:
        raise
    except Exception:  # it may be written for one image at a time
        return False
    return isinstance(batch, Tensor) and batch.shape == together.shape and _close(batch, together, together)


def _construct(code: UserCode, dim: int) -> nn.Module:
    """Construct the class as the template does."""
    attention = code.call(lambda: code.value(dim), what=f"the template's call {code.reference.name}({dim}) failed")
    if not isinstance(attention, nn.Module):
        raise CheckpointError(
            f"{code.reference}: is a {type(attention).__name__}, not a torch.nn.Module; name the attention class"
        )
    return attention


def _check_output(output: object, shape: tuple[int, ...], code: UserCode) -> None:
    if not isinstance(output, Tensor) or tuple(output.shape) != shape:
        kind = tuple(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise CheckpointError(
            f"{code.reference}: forward: returns {kind} for an input of {shape}, and must return a tensor of that shape; "
            "name the class whose output the block adds to its input"
        )
    if not torch.isfinite(output).all():
        raise CheckpointError(
            f"{code.reference}: forward: NaN or infinite for an input of ordinary size; correct it there"
        )


def _close(output: Tensor, expected: Tensor, scale: Tensor) -> bool:
    return bool((output - expected).abs().max() <= TOLERANCE * scale.abs().max())


def _with_template_names(state: Mapping[str, object]) -> dict[str, object]:
    """The state dict with a block's attention renamed to the template's name, if exactly one module has another name."""
    pattern = re.compile(r"(blocks\.\d+)\.(\w+)\.(.+)")
    matches = {key: match for key in state if (match := pattern.fullmatch(key)) and match[2] not in TEMPLATE}
    if len({match[2] for match in matches.values()}) != 1:
        return dict(state)
    return {
        f"{matches[key][1]}.Attention.{matches[key][3]}" if key in matches else key: tensor
        for key, tensor in state.items()
    }


def _without_block(key: str) -> str:
    return key.partition(".Attention.")[2]
