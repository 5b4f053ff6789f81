"""Recipes small enough to train within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TOKENIZER = """
name = "tiny"
output = "tokenizer"
seed = 5
[data]
catfaces = [0, 8]
catfaces_val = [20000, 20002]
[model]
latent_dim = 4
num_codebook_vectors = 16
enc_channels = [32, 32, 32, 32, 32, 32]
dec_channels = [32, 32, 32, 32, 32]
enc_blocks = 1
dec_blocks = 1
[train]
steps = 6
batch = 2
quantise_after = 2
restart_every = 2
discriminator_start = 0.5
discriminator_width = 4
hole_pool = 4
validate_every = 3
log_every = 1
warmup = 2
"""

TRANSFORMER = """
name = "tiny"
output = "transformer"
tokenizer = "tokenizer"
seed = 6
[data]
catfaces = [0, 12]
catfaces_val = [20000, 20004]
[model]
dim = 16
n_layers = 2
hidden_dim = 32
n_heads = 2
[train]
steps = 8
batch = 4
accumulate = 2
lr = 3e-3
warmup = 2
weight_decay = 0.05
walk_share = 0.5
versions = 2
validate_every = 4
log_every = 1
"""


@pytest.fixture
def tokenizer_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.toml"
    path.write_text(TOKENIZER)
    return path


@pytest.fixture
def transformer_recipe(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    path = tmp_path / "transformer.toml"
    path.write_text(TRANSFORMER.replace('tokenizer = "tokenizer"', f'tokenizer = "{tiny_checkpoint.as_posix()}"'))
    return path
