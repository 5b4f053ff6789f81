"""The bundled `catfaces` model in the lab layout, its attention laid out as other authors have it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
import yaml
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maskgit.model import MaskGIT

State = dict[str, Tensor]
PROJECTIONS = ("q_proj", "k_proj", "v_proj")


def fused(state: State, heads: int, name: str, by_head: bool) -> State:
    """q, k and v in one matrix: one after the other, or head by head."""
    out: State = {}
    for key, value in state.items():
        head, attention, tail = key.partition(".Attention.")
        module, _, kind = tail.partition(".")
        if not attention:
            out[key] = value
        elif module == "out_proj":
            out[f"{head}{attention}proj.{kind}"] = value
        elif module == "q_proj":
            parts = torch.stack([state[f"{head}{attention}{part}.{kind}"] for part in PROJECTIONS])
            if by_head:
                parts = parts.unflatten(1, (heads, -1)).transpose(0, 1)
            out[f"{head}{attention}{name}.{kind}"] = parts.reshape(-1, *value.shape[1:])
    return out


def exchanged(state: State, one: str, two: str) -> State:
    """Two of the projections under each other's names."""
    names = {one: two, two: one}
    return {".".join(names.get(part, part) for part in key.split(".")): value for key, value in state.items()}


def write_lab(folder: Path, model: MaskGIT, relay: Callable[[State], State] = dict) -> Path:
    """Write a model as a folder in the lab layout."""
    folder.mkdir(parents=True)
    torch.save(model.tokenizer.state_dict(), folder / "VQGAN.pt")
    torch.save(relay(dict(model.transformer.state_dict())), folder / "transformer.pt")
    sizes = model.transformer.config.as_dict()
    sizes["num_heads"] = sizes.pop("n_heads")
    tokenizer = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(model.tokenizer.config).items()}
    configs: dict[str, Any] = {"MaskGit.yml": {"Transformer_param": sizes}, "VQGAN.yml": tokenizer}
    for name, param in configs.items():
        (folder / name).write_text(yaml.safe_dump({"model_param": param}))
    return folder
