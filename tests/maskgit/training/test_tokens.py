"""Stage 2's data: which tokens are masked, and what the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from maskgit.checkpoints.native import load_tokenizer
from maskgit.data.demo import catfaces
from maskgit.training.config import TransformerTraining
from maskgit.training.tokens import TokenSet, cached_set, draw_masked, encode_set

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.tokenizer import VQGAN

MASK = 999
N = 256


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint: Path) -> VQGAN:
    return load_tokenizer(tiny_checkpoint)


def token_set(n: int, walks: bool) -> TokenSet:
    draw = torch.Generator().manual_seed(3)
    full = torch.randint(0, 500, (n, 2, N), generator=draw).short()
    hole = torch.rand(n, 2, N, generator=draw) < 0.35
    return TokenSet(full, (full + 500) if walks else None, hole if walks else None)


def test_without_walks_known_tokens_are_the_images_own() -> None:
    tokens = token_set(64, walks=False)
    settings = TransformerTraining(steps=1, walk_share=0.0)
    inputs, targets, masked = draw_masked(tokens, torch.arange(64), settings, torch.Generator().manual_seed(1), MASK)
    assert torch.equal(inputs == MASK, masked)
    assert torch.equal(inputs[~masked], targets[~masked])
    assert (masked.sum(1) >= 1).all()


def test_with_walks_only_the_hole_is_masked_and_known_tokens_come_from_the_masked_image() -> None:
    tokens = token_set(64, walks=True)
    assert tokens.hole is not None
    settings = TransformerTraining(steps=1, walk_share=1.0)
    inputs, targets, masked = draw_masked(tokens, torch.arange(64), settings, torch.Generator().manual_seed(1), MASK)
    version = (targets[:, None] == tokens.full.long()).all(2).long().argmax(1)
    hole = tokens.hole[torch.arange(64), version]
    assert not (masked & ~hole).any()
    assert torch.equal(inputs[~hole], targets[~hole] + 500)
    assert torch.equal(inputs[hole & ~masked], targets[hole & ~masked])  # predicted already
    assert (hole & ~masked).any()
    assert (masked.sum(1) >= 1).all()


def test_gamma_masks_the_mean_of_its_curve_and_bernoulli_one_half() -> None:
    tokens = token_set(1, walks=False)
    indices = torch.zeros(4000, dtype=torch.int64)
    for mask, mean, error in (
        ("gamma:cosine", 2 / np.pi, 0.025),
        ("gamma:linear", 0.5, 0.025),
        ("bernoulli", 0.5, 0.003),
    ):
        settings = TransformerTraining(steps=1, walk_share=0.0, mask=mask)
        masked = draw_masked(tokens, indices, settings, torch.Generator().manual_seed(1), MASK)[2]
        assert abs(float(masked.float().mean()) - mean) < error, mask
    spread = masked.sum(1).double().std()
    assert abs(float(spread) - np.sqrt(N) / 2) < 0.5  # independent tokens: binomial


def test_versions_are_an_image_and_its_mirror_image_with_holes_of_their_own(tokenizer: VQGAN) -> None:
    images = catfaces.render(np.arange(6))
    tokens = encode_set(tokenizer, images, versions=2, walks=True, seed=4, bfloat16=False)
    assert tokens.holed is not None
    assert tokens.hole is not None
    as_is = tokenizer.encode(torch.from_numpy(images).float() / 255.0)
    mirrored = tokenizer.encode(torch.from_numpy(images).flip(3).float() / 255.0)
    first_as_is = (tokens.full[:, 0].long() == as_is).all(1)
    for i, plain in enumerate(first_as_is.tolist()):
        pair = (as_is[i], mirrored[i]) if plain else (mirrored[i], as_is[i])
        assert torch.equal(tokens.full[i].long(), torch.stack(pair))
    assert 0 < first_as_is.sum() < 6
    assert len({tuple(hole.tolist()) for hole in tokens.hole.flatten(0, 1)}) == 12
    share = tokens.hole.float().mean(2)
    assert ((share > 0.1) & (share < 0.7)).all()


def test_kept_tokens_are_made_anew_when_images_change(tokenizer: VQGAN, tmp_path: Path) -> None:
    path = tmp_path / "tokens.pt"
    images = catfaces.render(np.arange(3))

    def make(images: np.ndarray) -> TokenSet:
        return cached_set(path, tokenizer, images, versions=1, walks=False, seed=1, bfloat16=False)

    first = make(images)
    written = path.stat().st_mtime_ns
    assert torch.equal(make(images).full, first.full)
    assert path.stat().st_mtime_ns == written
    changed = images.copy()
    changed[0] = 255 - changed[0]
    assert not torch.equal(make(changed).full, first.full)
    assert path.stat().st_mtime_ns != written
