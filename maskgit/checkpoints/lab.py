"""Weights in the lab layout: both networks' tensors from their files, with the attention as its author named it.

`unwrap` finds tensors that a trainer wrapped; a `Reading` says what the attention's tensors are. Everything else in the
networks has the same names in every user's files, and the error names any key that does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from maskgit.checkpoints.attention import Reading, is_inert, layout_of_blocks
from maskgit.checkpoints.own_attention import OwnAttentionTransformer, place_own
from maskgit.checkpoints.tensors import place, shapes
from maskgit.checkpoints.unwrap import Role, Weights, describe, unwrap
from maskgit.checkpoints.weight_files import read_content
from maskgit.errors import CheckpointError
from maskgit.tokenizer import VQGAN
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.checkpoints.attention_names import Layout
    from maskgit.checkpoints.checkpoint import Checkpoint
    from maskgit.config import TransformerConfig

TRAINING_ONLY = ("loss", "discriminator", "perceptual_loss", "lpips")
"""Modules in a tokenizer's file that its encoder and decoder do not use."""


@dataclass(frozen=True, eq=False)
class LabWeights:
    """Contents of a checkpoint's files, float32.

    Attributes:
        tokenizer: State dict of the tokenizer.
        transformer: The transformer's tensors outside the attention, by key.
        attention: For each block, the tensors below `blocks.i.Attention.` under the file's own names.
        layout: Roles of the attention's tensors.
        notes: Sentences on where the weights were found.
    """

    tokenizer: Mapping[str, Tensor]
    transformer: Mapping[str, Tensor]
    attention: tuple[Mapping[str, Tensor], ...]
    layout: Layout
    notes: tuple[str, ...]

    def transformer_state(self, reading: Reading) -> dict[str, Tensor]:
        """The transformer's state dict with its attention read in one way."""
        state = dict(self.transformer)
        for number, block in enumerate(self.attention):
            state |= {f"blocks.{number}.Attention.{key}": tensor for key, tensor in reading.tensors(block).items()}
        return state


def read_lab(checkpoint: Checkpoint) -> LabWeights:
    """Read the weights from a checkpoint's files; the attention's tensors keep their names until a reading is chosen.

    Raises:
        CheckpointError: no state dict; or tensors that are missing, unexpected, misshaped, not finite or of unknown role.
    """
    transformer, tokenizer, notes = _networks(checkpoint)
    file = checkpoint.files["transformer"]
    placed, attention, layout, unused = _place_transformer(transformer, checkpoint, file)
    return LabWeights(_place_tokenizer(tokenizer, checkpoint), placed, attention, layout, (*notes, *unused))


def fill_own(checkpoint: Checkpoint, tokenizer: VQGAN, transformer: OwnAttentionTransformer) -> tuple[str, ...]:
    """Load both networks from a checkpoint's files; the attention is the user's own class.

    Returns:
        Sentences on where the weights were found.

    Raises:
        CheckpointError: as `read_lab`; or the attention's tensors do not fit the class.
    """
    weights, tokenizer_weights, notes = _networks(checkpoint)
    transformer.load_state_dict(place_own(weights.state, transformer, checkpoint.files["transformer"]))
    tokenizer.load_state_dict(_place_tokenizer(tokenizer_weights, checkpoint))
    return tuple(notes)


def _networks(checkpoint: Checkpoint) -> tuple[Weights, Weights, list[str]]:
    """Transformer and tokenizer in a checkpoint's files, and sentences on where they were found."""
    file = checkpoint.files["transformer"]
    content = read_content(file, checkpoint.sha256["transformer"])
    transformer = _network(content, "transformer", file, ema=checkpoint.declared.ema)
    notes = describe(transformer, "transformer", file)
    if "tokenizer" in checkpoint.files:
        file = checkpoint.files["tokenizer"]
        content = read_content(file, checkpoint.sha256["tokenizer"])
        tokenizer = _network(content, "tokenizer", file)
    elif (whole := unwrap(content, "tokenizer", file, ema=None)) is not None:
        tokenizer = whole
    else:
        raise CheckpointError(
            f"{file}: holds no tokenizer, and there is no file for it; put VQGAN.pt next to it, or name it as `tokenizer`"
        )
    return transformer, tokenizer, notes + describe(tokenizer, "tokenizer", file) + _left_aside(tokenizer, file)


def _left_aside(tokenizer: Weights, file: Path) -> list[str]:
    aside = sorted({key.partition(".")[0] for key in tokenizer.state} & set(TRAINING_ONLY))
    return [f"{file.name}: tokenizer: used in training alone and left aside: {', '.join(aside)}"] if aside else []


def _place_tokenizer(weights: Weights, checkpoint: Checkpoint) -> dict[str, Tensor]:
    assert checkpoint.tokenizer
    file = checkpoint.files.get("tokenizer", checkpoint.files["transformer"])
    state = {key: value for key, value in weights.state.items() if key.partition(".")[0] not in TRAINING_ONLY}
    with torch.device("meta"):
        expected = shapes(VQGAN(checkpoint.tokenizer))
    return place(state, expected, file=file, what="tokenizer", prefix=weights.prefix)


def _network(content: object, role: Role, file: Path, ema: bool | None = None) -> Weights:
    """The network in a file; if nothing looks like it, the whole content, so that the error can list its keys."""
    weights = unwrap(content, role, file, ema=ema)
    assert isinstance(content, Mapping)
    return weights or Weights((), "", {str(key): value for key, value in content.items()})


def _place_transformer(
    weights: Weights, checkpoint: Checkpoint, file: Path
) -> tuple[dict[str, Tensor], tuple[dict[str, Tensor], ...], Layout, list[str]]:
    """Tensors outside the attention, tensors of each block's attention, its layout, and notes on unused tensors."""
    cfg = checkpoint.transformer
    assert cfg
    blocks = [_below(weights.state, f"blocks.{number}.Attention.") for number in range(cfg.n_layers)]
    expected = _outside_attention(cfg)
    if not any(blocks):  # not a transformer, or one without such blocks
        place(weights.state, expected, file=file, what="transformer", prefix=weights.prefix)
    dim = _width(weights.state, cfg)
    layout = layout_of_blocks([block for block in blocks if block], dim, cfg.n_heads, checkpoint.declared, file)
    inert = {
        f"blocks.{number}.Attention.{key}"
        for number, block in enumerate(blocks)
        for key, value in block.items()
        if key not in layout.shapes and is_inert(value, dim, layout.heads)
    }
    for number in range(cfg.n_layers):
        expected |= {f"blocks.{number}.Attention.{key}": shape for key, shape in layout.shapes.items()}
    state = {key: value for key, value in weights.state.items() if key not in inert}
    placed = place(state, expected, file=file, what="transformer", prefix=weights.prefix)
    attention = tuple(_below(placed, f"blocks.{number}.Attention.") for number in range(cfg.n_layers))
    outside = {key: tensor for key, tensor in placed.items() if ".Attention." not in key}
    names = sorted({key.split(".Attention.")[1] for key in inert})
    unused = [f"{file.name}: attention: without effect and left aside: {', '.join(names)}"] if names else []
    return outside, attention, layout, unused


def _below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _width(state: Mapping[str, object], cfg: TransformerConfig) -> int:
    """Width of the model as its token embedding shows it, so that a config with another width is detected."""
    embedding = state.get("tok_emb.weight")
    return embedding.shape[1] if isinstance(embedding, Tensor) and embedding.ndim == 2 else cfg.dim


def _outside_attention(cfg: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of the transformer's tensors outside the attention."""
    with torch.device("meta"):
        network: nn.Module = BidirectionalTransformer(cfg)
    return {key: shape for key, shape in shapes(network).items() if ".Attention." not in key}
