"""Sizes in the two YAML configs of the lab layout (no torch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import CheckpointError

LAB_HEADS = 16  # the lab's configs do not say: always 16


def lab_tokenizer_config(path: Path) -> TokenizerConfig:
    """Sizes in a `VQGAN.yml`; the lab's test statistics normalise.

    Raises:
        CheckpointError: not such a file, or sizes that cannot be.
    """
    usual = TokenizerConfig()  # what the lab's file never says: blocks a level, and the statistics of the test set
    unsaid = {key: getattr(usual, key) for key in ("enc_blocks", "dec_blocks", "beta", "mean", "std")}
    return TokenizerConfig.from_dict(unsaid | _model_param(path), file=path, section="model_param")


def lab_transformer_config(path: Path) -> TransformerConfig:
    """Sizes in a `MaskGit.yml`; its decoding settings are not read: those of the grid count.

    Raises:
        CheckpointError: not such a file, or sizes that cannot be.
    """
    param = _model_param(path)
    sizes = param.get("Transformer_param")
    if not isinstance(sizes, dict):
        raise CheckpointError(
            f"{path}: model_param has no table Transformer_param; copy the config that was trained with"
        )
    # The outer table repeats two of the sizes, and either place may be the one filled in.
    outer = {key: param[key] for key in ("num_image_tokens", "num_codebook_vectors") if key in param}
    for key, value in outer.items():
        if sizes.get(key, value) != value:
            raise CheckpointError(
                f"{path}: {key} = {value!r} in model_param, {sizes[key]!r} in Transformer_param; make them equal"
            )
    if sizes.get("n_heads", LAB_HEADS) != LAB_HEADS:
        raise CheckpointError(
            f"{path}: Transformer_param.n_heads = {sizes['n_heads']!r} must be {LAB_HEADS} in the lab layout"
        )
    # Dropout does nothing outside training.
    sizes = {key: value for key, value in sizes.items() if "drop" not in str(key)}
    merged = outer | {"n_heads": LAB_HEADS} | sizes
    return TransformerConfig.from_dict(merged, file=path, section="model_param.Transformer_param")


def _model_param(path: Path) -> dict[str, Any]:
    """The `model_param` table of a lab config."""
    try:
        data = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the config there") from error
    except (yaml.YAMLError, ValueError) as error:
        raise CheckpointError(f"{path}: is not YAML; copy the config that the model was trained with") from error
    param = data.get("model_param") if isinstance(data, dict) else None
    if not isinstance(param, dict):
        raise CheckpointError(f"{path}: has no table model_param; copy the config that the model was trained with")
    return param
