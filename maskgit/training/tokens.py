"""Stage 2's data: images encoded once as tokens, and random masks over them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from maskgit.data.demo.walks import hole_masks
from maskgit.data.testset import HOLE_GREY
from maskgit.masks import token_mask
from maskgit.schedules import Schedule, schedule
from maskgit.training.loop import load_state, save_state

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from maskgit.tokenizer import VQGAN
    from maskgit.training.config import TransformerTraining

ENCODE_BATCH = 32


@dataclass(frozen=True)
class TokenSet:
    """Tokens of n images in V versions each; a version is flipped or not and has a random-walk hole.

    full: int16 (n, V, N), of the whole image. holed: int16 (n, V, N), of the image with its hole painted grey.
    hole: bool (n, V, N), True = predict. Without holes, `holed` and `hole` are None. All on the CPU.
    """

    full: Tensor
    holed: Tensor | None
    hole: Tensor | None


def encode_set(
    tokenizer: VQGAN, images: NDArray[np.uint8], *, versions: int, walks: bool, seed: int, bfloat16: bool
) -> TokenSet:
    """Encode images (n, 3, H, W): a coin toss per image decides whether its even or its odd versions are flipped."""
    n, size, cell = len(images), images.shape[-1], tokenizer.config.cell
    draw = np.random.default_rng([seed, n])
    coin = draw.integers(0, 2, n)
    first_hole = int(draw.integers(0, 2**40))
    full, holed, holes = [], [], []
    for v in range(versions):
        for start in range(0, n, ENCODE_BATCH):
            part = slice(start, min(start + ENCODE_BATCH, n))
            flip = torch.from_numpy((coin[part] + v) % 2 == 1)
            batch = torch.from_numpy(images[part])
            batch = torch.where(flip[:, None, None, None], batch.flip(3), batch)
            full.append(_encode(tokenizer, batch, bfloat16))
            if walks:
                numbers = first_hole + v * n + np.arange(part.start, part.stop)
                hole = torch.from_numpy(hole_masks(numbers, size))
                holed.append(_encode(tokenizer, batch.masked_fill(hole[:, None], HOLE_GREY), bfloat16))
                holes.append(token_mask(hole, cell))

    def joined(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).view(versions, n, -1).transpose(0, 1).contiguous()

    return TokenSet(joined(full), joined(holed) if walks else None, joined(holes) if walks else None)


def cached_set(
    path: Path, tokenizer: VQGAN, images: NDArray[np.uint8], *, versions: int, walks: bool, seed: int, bfloat16: bool
) -> TokenSet:
    """`encode_set`, cached in `path` as long as weights, images and arguments stay the same."""
    digest = hashlib.sha256(repr((versions, walks, seed, bfloat16, images.shape, tokenizer.config)).encode())
    digest.update(images.tobytes())
    for tensor in tokenizer.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    if path.exists() and (kept := load_state(path))["key"] == digest.hexdigest():
        return TokenSet(kept["full"], kept["holed"], kept["hole"])
    made = encode_set(tokenizer, images, versions=versions, walks=walks, seed=seed, bfloat16=bfloat16)
    save_state(path, {"key": digest.hexdigest(), "full": made.full, "holed": made.holed, "hole": made.hole})
    return made


def draw_masked(
    tokens: TokenSet, indices: Tensor, settings: TransformerTraining, draw: torch.Generator, mask_token: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw masked tokens of some images, each in a random version.

    A share `walk_share` of the images uses its hole, of which the share γ(r) is still masked and the rest already predicted,
    as in the middle of decoding; known tokens are those of the masked image. The other images are masked at any position,
    according to `mask`. r is uniform; γ is that of `mask`, or cosine for "bernoulli". At least one token is masked.

    Returns:
        inputs (B, N) int64 with the mask token; targets (B, N) int64; masked (B, N) bool.
    """
    B, (_, versions, N) = len(indices), tokens.full.shape
    version = torch.randint(versions, (B,), generator=draw)
    targets = tokens.full[indices, version].long()
    ratio, scores = torch.rand(B, generator=draw).double(), torch.rand(B, N, generator=draw)
    walk = torch.rand(B, generator=draw) < settings.walk_share
    name = settings.mask.partition(":")[2]
    candidates, known = torch.ones(B, N, dtype=torch.bool), targets
    if tokens.hole is not None and tokens.holed is not None:
        hole = tokens.hole[indices, version]
        candidates = torch.where(walk[:, None], hole, candidates)
        known = torch.where(walk[:, None] & ~hole, tokens.holed[indices, version].long(), targets)
    count = _masked_count(schedule(name or "cosine"), ratio, candidates.sum(1))
    rank = scores.masked_fill(~candidates, 2.0).argsort(1).argsort(1)
    masked = rank < count[:, None]
    if not name:
        masked = torch.where(walk[:, None], masked, (scores < 0.5) | (rank == 0))
    return known.masked_fill(masked, mask_token), targets, masked


def _masked_count(gamma: Schedule, ratio: Tensor, candidates: Tensor) -> Tensor:
    """⌈γ(r) · candidates⌉, at least 1."""
    numbers = candidates.numpy()
    share = np.array([float(gamma(r, n)) for r, n in zip(ratio.tolist(), numbers, strict=True)])
    return torch.from_numpy(np.clip(np.ceil(share * numbers), 1, None).astype(np.int64))


@torch.inference_mode()
def _encode(tokenizer: VQGAN, images: Tensor, bfloat16: bool) -> Tensor:
    device = tokenizer.mean.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        latents = tokenizer.latents(images.to(device).float() / 255.0)
    return tokenizer.codebook.nearest(latents.float()).flatten(1).short().cpu().clone()
