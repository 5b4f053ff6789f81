"""Weights of the lab layout: whatever the wrapping and the attention's names, into our state dicts.

A transformer's file is a bare state dict, a trainer's dict with the state dict under `model`, or the whole model's
with `transformer.` and `vqgan.` prefixes (which may itself be wrapped by a trainer). Nothing is guessed: a key that
none of the known namings explains is named in the error.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from maskgit.checkpoints.locate import Checkpoint
from maskgit.checkpoints.own_attention import OwnAttentionTransformer, place_own
from maskgit.checkpoints.tensors import place, read_verified, shapes
from maskgit.errors import CheckpointError
from maskgit.tokenizer import VQGAN
from maskgit.transformer import BidirectionalTransformer

QKV = ("q_proj", "k_proj", "v_proj")
# Seen under `blocks.i.Attention.`: each of their modules, with ours that it holds in order along the output.
NAMINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "q_proj": {name: (name,) for name in (*QKV, "out_proj")},
    "query": {"query": ("q_proj",), "key": ("k_proj",), "value": ("v_proj",), "output_layer": ("out_proj",)},
    "qkv": {"qkv": QKV, "proj": ("out_proj",)},
    "to_qkv": {"to_qkv": QKV, "proj": ("out_proj",)},
}
WITHOUT_BIAS = ("to_qkv",)  # these modules have no bias: ours is zero
RESAVE = "save it anew with torch.save(model.state_dict(), …)"


def read_lab(
    checkpoint: Checkpoint, tokenizer: VQGAN, transformer: BidirectionalTransformer
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """State dicts for the two networks, float32, under our names.

    Raises:
        CheckpointError: no state dict, or tensors that are missing, unexpected, misshaped or not finite.
    """
    file = checkpoint.files["transformer"]
    state = read_state(file, checkpoint.sha256["transformer"])
    if isinstance(transformer, OwnAttentionTransformer):
        own, prefix = _section(state, "transformer.", "vqgan.")
        own = {key.removeprefix(prefix): value for key, value in own.items()}
        transformer_state = place_own(own, transformer, file)
    else:
        transformer_state = _rename(state, shapes(transformer), file)
    if "tokenizer" in checkpoint.files:
        file = checkpoint.files["tokenizer"]
        state = read_state(file, checkpoint.sha256["tokenizer"])
    elif not any(key.startswith("vqgan.") for key in state):
        raise CheckpointError(
            f"{file}: has no vqgan.* tensors, and there is no tokenizer's file; put VQGAN.pt beside it"
        )
    own, prefix = _section(state, "vqgan.", "transformer.")
    expected = {prefix + key: shape for key, shape in shapes(tokenizer).items()}
    placed = place(own, expected, file=file, what="tokenizer")
    return {key.removeprefix(prefix): tensor for key, tensor in placed.items()}, transformer_state


def read_state(path: Path, sha256: str) -> dict[str, object]:
    """The state dict in a PyTorch file, out of a trainer's wrapping; pickled code never runs."""
    data = read_verified(path, sha256)
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file may raise anything
        raise CheckpointError(
            f"{path}: is not a file of tensors (damaged, or a pickle of something else); {RESAVE}"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a state dict; {RESAVE}")
    return {str(key): value for key, value in content.items()}


def _section(state: dict[str, object], own: str, other: str) -> tuple[dict[str, object], str]:
    """One network's entries and their prefix: of a whole model, all but the other's; of a bare one, all and none."""
    if not any(key.startswith(own) for key in state):
        return state, ""
    return {key: value for key, value in state.items() if not key.startswith(other)}, own


def _rename(state: dict[str, object], ours: dict[str, tuple[int, ...]], file: Path) -> dict[str, Tensor]:
    """The transformer's tensors under our names: fused ones split, absent biases zero."""
    own, prefix = _section(state, "transformer.", "vqgan.")
    layouts = [_layout(ours, naming, prefix) for naming in NAMINGS.values()]
    layout = max(layouts, key=lambda layout: len(layout.keys() & own.keys()))  # the first of equals: our own names
    # What is expected is said in the file's own names, so that the error speaks of keys the user knows.
    expected = {theirs: (sum(ours[key][0] for key in keys), *ours[keys[0]][1:]) for theirs, keys in layout.items()}
    placed = place(own, expected, file=file, what="transformer")
    renamed: dict[str, Tensor] = {}
    for theirs, keys in layout.items():
        parts = placed[theirs].split([ours[key][0] for key in keys])
        renamed.update(zip(keys, parts, strict=True))
    return {key: renamed.get(key, torch.zeros(shape)) for key, shape in ours.items()}


def _layout(ours: dict[str, tuple[int, ...]], naming: dict[str, tuple[str, ...]], prefix: str) -> dict[str, list[str]]:
    """Each key of a file in this naming, with those of our keys that it holds, in order."""
    theirs_of = {our: their for their, held in naming.items() for our in held}
    layout: dict[str, list[str]] = {}
    for key in ours:
        match = re.fullmatch(r"(blocks\.\d+\.Attention\.)(\w+)(\.\w+)", key)
        if match is None:
            layout[prefix + key] = [key]
            continue
        head, module, tail = match.groups()
        if theirs_of[module] in WITHOUT_BIAS and tail == ".bias":
            continue
        layout.setdefault(prefix + head + theirs_of[module] + tail, []).append(key)
    return layout
