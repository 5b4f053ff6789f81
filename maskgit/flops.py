"""Floating-point operations of the networks, counted from their sizes (a multiply-add is two operations).

Convolutions and matrix products are counted; normalisations, activations and softmax, a few per cent, are not.
"""

from __future__ import annotations

from maskgit.config import LEVELS, RESAMPLED_LEVELS, TokenizerConfig, TransformerConfig


def transformer_flops(cfg: TransformerConfig) -> int:
    """Operations of one pass over one image."""
    N, D, V = cfg.num_image_tokens, cfg.dim, cfg.num_codebook_vectors + 1
    projections = 4 * D * D + 2 * D * cfg.hidden_dim
    attention = 2 * N * D
    return 2 * N * (cfg.n_layers * (projections + attention) + D * D + D * V)


def encoder_flops(cfg: TokenizerConfig) -> int:
    """Operations of encoding one image, the search of the nearest codes included."""
    widths, side = cfg.enc_channels, cfg.img_resolution
    total = _conv(cfg.image_channels, widths[0], side)
    for level in range(LEVELS):
        for block in range(cfg.enc_blocks):
            total += _residual(widths[level] if block == 0 else widths[level + 1], widths[level + 1], side)
            if side == cfg.latent_resolution:
                total += _attention(widths[level + 1], side)
        if level in RESAMPLED_LEVELS:
            side //= 2
            total += _conv(widths[level + 1], widths[level + 1], side)
    top, latent = widths[-1], cfg.latent_dim
    total += 2 * _residual(top, top, side) + _attention(top, side) + _conv(top, latent, side)
    return total + _conv(latent, latent, side, kernel=1) + 2 * side * side * cfg.num_codebook_vectors * latent


def decoder_flops(cfg: TokenizerConfig) -> int:
    """Operations of decoding one image from its tokens."""
    widths, side, width = cfg.dec_channels, cfg.latent_resolution, cfg.dec_channels[-1]
    total = _conv(cfg.latent_dim, cfg.latent_dim, side, kernel=1) + _conv(cfg.latent_dim, width, side)
    total += 2 * _residual(width, width, side) + _attention(width, side)
    for level in reversed(range(LEVELS)):
        for _ in range(cfg.dec_blocks):
            total += _residual(width, widths[level], side)
            width = widths[level]
            if side == cfg.latent_resolution:
                total += _attention(width, side)
        if level in RESAMPLED_LEVELS:
            side *= 2
            total += _conv(width, width, side)
    return total + _conv(width, cfg.image_channels, side)


def _conv(c_in: int, c_out: int, side: int, kernel: int = 3) -> int:
    return 2 * kernel * kernel * c_in * c_out * side * side


def _residual(c_in: int, c_out: int, side: int) -> int:
    skip = _conv(c_in, c_out, side, kernel=1) if c_in != c_out else 0
    return _conv(c_in, c_out, side) + _conv(c_out, c_out, side) + skip


def _attention(channels: int, side: int) -> int:
    return 4 * _conv(channels, channels, side, kernel=1) + 4 * side**4 * channels
