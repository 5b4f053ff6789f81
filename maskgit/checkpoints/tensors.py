"""Strict loading of state dicts: every tensor of a file matches a parameter and every parameter a tensor."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maskgit.errors import CheckpointError
from maskgit.tokenizer import VQGAN
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.config import TokenizerConfig, TransformerConfig

Shapes = Mapping[str, tuple[int, ...]]
SPELLED_OUT = 40  # with more keys than this, those that differ only in the block's number are listed as one


def read_verified(path: Path, sha256: str) -> bytes:
    """Read a file and check its sha256, so that the weights that run are those of the fingerprint.

    Raises:
        CheckpointError: the file is gone or its sha256 is different.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the weights back") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(f"{path}: changed since its sha256 was taken; start again, or copy the checkpoint again")
    return data


def build(tokenizer: TokenizerConfig, transformer: TransformerConfig) -> tuple[VQGAN, BidirectionalTransformer]:
    """Build both networks without their trained weights; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        return VQGAN(tokenizer), BidirectionalTransformer(transformer)


def shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of the model's state dict, in its order."""
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}


def place(
    state: Mapping[str, object], expected: Shapes, *, file: Path, what: str, prefix: str = ""
) -> dict[str, Tensor]:
    """Return the tensors of `state` under the expected keys, in float32; in the file, `prefix` precedes each key.

    Raises:
        CheckpointError: one line with every key that is missing, unexpected, misshaped, not finite or not a float tensor.
    """
    if not state.keys() & expected.keys():
        keys = [prefix + str(key) for key in state]
        examples = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "") or "nothing"
        raise CheckpointError(
            f"{file}: holds no {what}; its keys are {examples}, expected such as {next(iter(expected))}"
        )
    missing = [key for key in expected if key not in state]
    extra = [str(key) for key in state if key not in expected]
    misshaped, foreign, broken = [], [], []
    placed: dict[str, Tensor] = {}
    for key, shape in expected.items():
        tensor = state.get(key)
        if key in missing:
            continue
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            foreign.append(key)
        elif tuple(tensor.shape) != shape:
            misshaped.append(f"{key} {tuple(tensor.shape)} for {shape}")
        elif not torch.isfinite(tensor).all():
            broken.append(key)
        else:
            placed[key] = tensor.detach().float()
    faults = {
        "missing": missing,
        "unexpected": extra,
        "misshaped": misshaped,
        "no floating-point tensor": foreign,
        "NaN or infinite": broken,
    }
    if any(faults.values()):
        listing = "; ".join(
            f"{fault}: {', '.join(_gather([prefix + key for key in keys]))}" for fault, keys in faults.items() if keys
        )
        raise CheckpointError(
            f"{file}: not the {what} of its config: {listing}; use the config and weights of one training"
        )
    return placed


def _gather(keys: list[str]) -> Iterable[str]:
    """The keys one by one or, if there are many, grouped over blocks as `blocks.{0,1,2}.MLP.0.bias`."""
    if len(keys) <= SPELLED_OUT:
        return keys
    groups: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        match = re.fullmatch(r"(.*?\bblocks\.)(\d+)(\..*)", key)
        head, number, tail = match.groups() if match else (key, "", "")
        groups.setdefault((head, tail), []).append(number)
    return [head + (n[0] if len(n) == 1 else "{" + ",".join(n) + "}") + tail for (head, tail), n in groups.items()]
