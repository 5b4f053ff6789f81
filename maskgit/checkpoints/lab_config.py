"""Read sizes from the two YAML configs of the lab layout (no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maskgit.checkpoints.plain_yaml import read_yaml
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LAB_HEADS = 16  # if a config does not say
HEADS = ("n_heads", "num_heads", "heads", "nhead", "n_head", "num_attention_heads")
HEAD_DIM = ("head_dim", "dim_head", "d_head")
_REDUNDANT: dict[str, tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]] = {
    "mlp_ratio": ("hidden_dim / dim", lambda sizes: (sizes["hidden_dim"] / sizes["dim"],)),
    "vocab_size": ("num_codebook_vectors, one more with the mask token", lambda sizes: _codes(sizes)),
    "num_embeddings": ("num_codebook_vectors, one more with the mask token", lambda sizes: _codes(sizes)),
    "mask_token_id": ("num_codebook_vectors", lambda sizes: _codes(sizes)[:1]),
    "seq_len": ("num_image_tokens", lambda sizes: (sizes["num_image_tokens"],)),
    "max_seq_len": ("num_image_tokens", lambda sizes: (sizes["num_image_tokens"],)),
    "activation": ("gelu", lambda sizes: ("gelu", "GELU")),
    "layer_norm_eps": ("1e-12", lambda sizes: (1e-12, "1e-12")),
}
"""Redundant keys that users add, with the value that the other keys or the architecture imply, in words and as code."""
_TRAINING = (
    "drop",
    "lr",
    "learning_rate",
    "batch_size",
    "epochs",
    "weight_decay",
    "warmup",
    "seed",
    "disc_",
    "perceptual",
)
"""Prefixes of keys that have no effect outside training."""


def lab_tokenizer_config(path: Path) -> TokenizerConfig:
    """Read sizes from a `VQGAN.yml`; the lab's test-set statistics are used for normalisation.

    Raises:
        CheckpointError: not such a file, or impossible sizes.
    """
    usual = TokenizerConfig()  # not in the lab's file: blocks per level and the statistics of the test set
    unsaid = {key: getattr(usual, key) for key in ("enc_blocks", "dec_blocks", "beta", "mean", "std")}
    return TokenizerConfig.from_dict(unsaid | _sizes(model_param(path)), file=path, section="model_param")


def lab_transformer_config(path: Path) -> TransformerConfig:
    """Read sizes from a `MaskGit.yml`; its decoding settings are ignored: those of the grid count.

    Raises:
        CheckpointError: not such a file, or impossible sizes.
    """
    param = model_param(path)
    sizes = param.get("Transformer_param")
    if not isinstance(sizes, dict):
        raise CheckpointError(
            f"{path}: model_param has no table Transformer_param; copy the config that was trained with"
        )
    # The outer table repeats two of the sizes, and either may be filled in.
    outer = {key: param[key] for key in ("num_image_tokens", "num_codebook_vectors") if key in param}
    for key, value in outer.items():
        if sizes.get(key, value) != value:
            raise CheckpointError(
                f"{path}: {key} = {value!r} in model_param, {sizes[key]!r} in Transformer_param; make them equal"
            )
    sizes = _without_redundant(outer | _sizes(sizes), path)
    return TransformerConfig.from_dict(sizes, file=path, section="model_param.Transformer_param")


def _sizes(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table without sub-tables and settings that only training uses."""
    return {
        key: value
        for key, value in table.items()
        if not isinstance(value, dict) and not str(key).startswith(_TRAINING) and not str(key).endswith("dropout")
    }


def _without_redundant(sizes: dict[str, Any], path: Path) -> dict[str, Any]:
    """The transformer's sizes under our names; redundant keys are used or checked, and removed.

    Raises:
        CheckpointError: a key that contradicts the others.
    """
    where = f"{path}: model_param.Transformer_param"
    heads = {key: sizes.pop(key) for key in HEADS if key in sizes}
    for key in HEAD_DIM:
        if isinstance(width := sizes.pop(key, None), int) and width > 0 and isinstance(sizes.get("dim"), int):
            heads[key] = sizes["dim"] // width
    if len(set(map(str, heads.values()))) > 1:
        raise CheckpointError(f"{where}: {' and '.join(heads)} disagree on the number of heads; leave one of them")
    for key in [key for key in sizes if key in _REDUNDANT]:
        words, allowed = _REDUNDANT[key]
        try:
            fits = sizes[key] in allowed(sizes)
        except (KeyError, TypeError, ZeroDivisionError):
            fits = True  # the sizes themselves are wrong, which is reported separately
        if not fits:
            raise CheckpointError(f"{where}.{key} = {sizes[key]!r:.80} must be {words}, as in the lab's transformer")
        del sizes[key]
    return sizes | {"n_heads": next(iter(heads.values()), LAB_HEADS)}


def _codes(sizes: Mapping[str, Any]) -> tuple[int, ...]:
    return (sizes["num_codebook_vectors"], sizes["num_codebook_vectors"] + 1)


def model_param(path: Path) -> dict[str, Any]:
    """The `model_param` table of a lab config."""
    data = read_yaml(path)
    param = data.get("model_param") if isinstance(data, dict) else None
    if not isinstance(param, dict):
        raise CheckpointError(f"{path}: has no table model_param; copy the config that the model was trained with")
    return param
