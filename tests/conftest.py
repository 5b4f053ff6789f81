"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # no test asserts a time
settings.load_profile("untimed")
if "PYTEST_XDIST_WORKER" in os.environ:  # one core per worker: set before anything imports torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference outputs and real photographs beside the checkout; their tests skip, loudly, where they are absent."""
    if not SHARED.is_dir():
        pytest.skip(f"SHARED DATA ABSENT: no {SHARED}; the checks against real data and reference outputs did not run")
    return SHARED


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A native checkpoint with small random networks for 64×64 images."""
    import torch

    from maskgit.checkpoints.native import save_native
    from maskgit.config import TokenizerConfig, TransformerConfig
    from maskgit.tokenizer import VQGAN
    from maskgit.transformer import BidirectionalTransformer

    torch.manual_seed(1)
    widths = (32,) * 6
    tokenizer = VQGAN(
        TokenizerConfig(
            latent_dim=8,
            num_codebook_vectors=48,
            enc_channels=widths,
            dec_channels=widths[:5],
            enc_blocks=1,
            dec_blocks=1,
        )
    )
    torch.nn.init.normal_(tokenizer.codebook.embedding.weight, std=0.3)
    transformer = BidirectionalTransformer(
        TransformerConfig(num_codebook_vectors=48, dim=32, n_layers=2, hidden_dim=64, n_heads=4)
    )
    torch.nn.init.normal_(transformer.tok_emb.weight)
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    save_native(folder, tokenizer, transformer, name="tiny", half=False, extra={})
    return folder


SMALL_GRID = """
[run]
name = "small"
[model]
checkpoint = "{checkpoint}"
[data]
dataset = "catfaces"
count = 5
[grid]
gamma = ["cosine", "square"]
total_iter = [2, 3]
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
[execution]
tile = 4
threads = 1
device = "cpu"
"""


@pytest.fixture(scope="session")
def small_grid(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid.toml of ten cells of the tiny checkpoint on five images."""
    path = tmp_path_factory.mktemp("small") / "grid.toml"
    path.write_text(SMALL_GRID.format(checkpoint=tiny_checkpoint.as_posix()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_run(small_grid: Path) -> Path:
    """The run folder of the small grid, for every test that reads one; no test may change it."""
    import bench

    return bench.run(bench.load_spec(small_grid), small_grid.parent / "run", base=small_grid.parent, quiet=True)


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded random weights of FID's Inception, under pytorch-fid's file name in a torch hub cache.

    The fourth folder above the file is what TORCH_HOME must name for pytorch-fid to find it.
    """
    import torch
    from pytorch_fid.inception import FID_WEIGHTS_URL
    from torch import nn

    from bench.features.inception import fid_inception

    path = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints" / FID_WEIGHTS_URL.rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True)
    network = fid_inception()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                # Every statistic differs from its default, so that a network that ignores one is found out.
                module.weight.uniform_(0.8, 1.2)
                module.bias.normal_(0, 0.1)
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.8, 1.2)
    torch.save(network.state_dict(), path)
    return path
