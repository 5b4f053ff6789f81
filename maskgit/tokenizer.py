"""VQGAN tokenizer: an image to a grid of codes, and back.

Architecture: Esser, Rombach & Ommer, "Taming Transformers for High-Resolution Image Synthesis", CVPR 2021, in the
variant our users train; module and parameter names are theirs, so their state dicts load as they are.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskgit.config import LEVELS, RESAMPLED_LEVELS, TokenizerConfig


class GroupNorm(nn.Module):
    """Group normalisation over 32 groups."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(32, channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        return cast("Tensor", self.gn(x))


class ResidualBlock(nn.Module):
    """Two pre-normalised 3×3 convolutions with a skip, widened by a 1×1 convolution where the widths differ."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            GroupNorm(c_in),
            nn.SiLU(),
            nn.Conv2d(c_in, c_out, 3, padding=1),
            GroupNorm(c_out),
            nn.SiLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1),
        )
        if c_in != c_out:
            self.channel_up = nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, H, W) to (B, c_out, H, W)."""
        skip = self.channel_up(x) if hasattr(self, "channel_up") else x
        return cast("Tensor", skip + self.block(x))


class AttentionBlock(nn.Module):
    """Single-head self-attention over the pixels of a feature map, with a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = GroupNorm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        h = self.norm(x)
        q, k, v = (proj(h).flatten(2).transpose(1, 2).unsqueeze(1) for proj in (self.q, self.k, self.v))
        out = F.scaled_dot_product_attention(q, k, v)  # (B, 1, H·W, C); scale C^-0.5
        return cast("Tensor", x + self.proj_out(out.squeeze(1).transpose(1, 2).reshape(x.shape)))


class Downsample(nn.Module):
    """Halve the resolution: pad right and bottom by one, 3×3 convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H/2, W/2)."""
        return cast("Tensor", self.conv(F.pad(x, (0, 1, 0, 1))))


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, 3×3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2H, 2W)."""
        return cast("Tensor", self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest")))


class Encoder(nn.Module):
    """Image (B, 3, H, W), normalised, to latents (B, latent_dim, h, w)."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        widths, resolution = cfg.enc_channels, cfg.img_resolution
        layers: list[nn.Module] = [nn.Conv2d(cfg.image_channels, widths[0], 3, padding=1)]
        for level in range(LEVELS):
            for block in range(cfg.enc_blocks):
                layers.append(ResidualBlock(widths[level] if block == 0 else widths[level + 1], widths[level + 1]))
                if resolution == cfg.latent_resolution:
                    layers.append(AttentionBlock(widths[level + 1]))
            if level in RESAMPLED_LEVELS:
                layers.append(Downsample(widths[level + 1]))
                resolution //= 2
        top = widths[-1]
        layers += [ResidualBlock(top, top), AttentionBlock(top), ResidualBlock(top, top), GroupNorm(top), nn.SiLU()]
        layers.append(nn.Conv2d(top, cfg.latent_dim, 3, padding=1))
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Encode normalised images."""
        return cast("Tensor", self.model(x))


class Decoder(nn.Module):
    """Latents (B, latent_dim, h, w) to a normalised image (B, 3, H, W)."""

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        widths, resolution, width = cfg.dec_channels, cfg.latent_resolution, cfg.dec_channels[-1]
        layers: list[nn.Module] = [nn.Conv2d(cfg.latent_dim, width, 3, padding=1)]
        layers += [ResidualBlock(width, width), AttentionBlock(width), ResidualBlock(width, width)]
        for level in reversed(range(LEVELS)):
            for _ in range(cfg.dec_blocks):
                layers.append(ResidualBlock(width, widths[level]))
                width = widths[level]
                if resolution == cfg.latent_resolution:
                    layers.append(AttentionBlock(width))
            if level in RESAMPLED_LEVELS:
                layers.append(Upsample(width))
                resolution *= 2
        layers += [GroupNorm(width), nn.Conv2d(width, cfg.image_channels, 3, padding=1)]
        self.model = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Decode latents."""
        return cast("Tensor", self.model(z))


class Codebook(nn.Module):
    """K code vectors; a latent is replaced by the nearest of them."""

    def __init__(self, num_codes: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_codes, dim)
        nn.init.uniform_(self.embedding.weight, -1.0 / num_codes, 1.0 / num_codes)

    def nearest(self, z: Tensor) -> Tensor:
        """Index of the nearest code by squared distance: z (..., dim) to codes (...) int64."""
        flat, codes = z.reshape(-1, z.shape[-1]), self.embedding.weight
        distance = flat.square().sum(1, keepdim=True) + codes.square().sum(1) - 2.0 * flat @ codes.T
        return distance.argmin(1).view(z.shape[:-1])


class VQGAN(nn.Module):
    """The tokenizer.

    Images are float in [0, 1], shape (B, 3, H, W); tokens int64 in [0, num_codebook_vectors), shape (B, tokens).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, cfg: TokenizerConfig) -> None:
        super().__init__()
        self.config = cfg
        self.encoder = Encoder(cfg)
        self.decoder = Decoder(cfg)
        self.codebook = Codebook(cfg.num_codebook_vectors, cfg.latent_dim)
        self.quant_conv = nn.Conv2d(cfg.latent_dim, cfg.latent_dim, 1)
        self.post_quant_conv = nn.Conv2d(cfg.latent_dim, cfg.latent_dim, 1)
        # Sizes and statistics live in the config, not in the state dict: the lab's files have no such entries.
        self.register_buffer("mean", torch.tensor(cfg.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(cfg.std).view(1, -1, 1, 1), persistent=False)

    def latents(self, images: Tensor) -> Tensor:
        """Images to continuous latents before quantisation, (B, h, w, latent_dim)."""
        return cast("Tensor", self.quant_conv(self.encoder((images - self.mean) / self.std)).permute(0, 2, 3, 1))

    def encode(self, images: Tensor) -> Tensor:
        """Images to tokens (B, tokens)."""
        return self.codebook.nearest(self.latents(images)).flatten(1)

    def decode_latents(self, quantised: Tensor) -> Tensor:
        """Quantised latents (B, h, w, latent_dim) to images; values may leave [0, 1]."""
        z = quantised.permute(0, 3, 1, 2).contiguous()
        return cast("Tensor", self.decoder(self.post_quant_conv(z)) * self.std + self.mean)

    def decode(self, tokens: Tensor) -> Tensor:
        """Tokens (B, tokens) to images; values may leave [0, 1]."""
        return self.decode_latents(self.quantised(tokens))

    def quantised(self, tokens: Tensor) -> Tensor:
        """Tokens (B, tokens) to their code vectors, (B, h, w, latent_dim)."""
        side = self.config.latent_resolution
        return cast("Tensor", self.codebook.embedding(tokens).view(len(tokens), side, side, -1))


def to_uint8(images: Tensor) -> Tensor:
    """Images in [0, 1] to 8-bit grey levels, rounding half up: ⌊255·x + ½⌋, clamped to [0, 255]."""
    return (images * 255.0 + 0.5).floor().clamp(0, 255).to(torch.uint8)
