"""Bidirectional transformer of MaskGIT: logits over the codes at every place of the token grid.

Architecture: Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022 (a BERT-style, post-norm encoder
with tied output embedding), in the variant our users train; parameter names are theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskgit.config import STANDARD, TransformerConfig

LN_EPS = 1e-12

Attend = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, N, D) to (B, heads, N, D / heads): head j holds the j-th part of every token's features."""
    B, N, D = x.shape
    return x.view(B, N, n_heads, D // n_heads).transpose(1, 2)


def view_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, N, D) to (B, heads, N, D / heads) by a plain view: head j holds the j-th part of the image's tokens."""
    B, N, D = x.shape
    return x.reshape(B, n_heads, N, D // n_heads)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, N, d) to (B, N, heads · d): the inverse of `split_heads`."""
    B, h, N, d = x.shape
    return x.transpose(1, 2).reshape(B, N, h * d)


def view_joined(x: Tensor) -> Tensor:
    """(B, heads, N, d) to (B, N, heads · d) by a plain view: the inverse of `view_heads`."""
    B, h, N, d = x.shape
    return x.reshape(B, N, h * d)


def standard(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """Scaled dot-product attention: softmax(q kᵀ / √d) v for each head, (B, N, D) each, to (B, N, D)."""
    q, k, v = (split_heads(x, n_heads) for x in (q, k, v))
    return join_heads(F.scaled_dot_product_attention(q, k, v))  # scale head_dim^-0.5


def joined_by_view(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """The standard arithmetic, but the heads are joined without moving the head axis back."""
    q, k, v = (split_heads(x, n_heads) for x in (q, k, v))
    return view_joined(F.scaled_dot_product_attention(q, k, v))


def split_by_view(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """The standard arithmetic, but the heads are split by a plain view."""
    q, k, v = (view_heads(x, n_heads) for x in (q, k, v))
    return join_heads(F.scaled_dot_product_attention(q, k, v))


def split_and_joined_by_view(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """The standard arithmetic, but the heads are split and joined by a plain view."""
    q, k, v = (view_heads(x, n_heads) for x in (q, k, v))
    return view_joined(F.scaled_dot_product_attention(q, k, v))


def scores_times_sqrt_d(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """The standard arithmetic, but the scores are multiplied by √d instead of divided."""
    q, k, v = (split_heads(x, n_heads) for x in (q, k, v))
    return join_heads(F.scaled_dot_product_attention(q, k, v, scale=q.shape[-1] ** 0.5))


def softmax_over_queries(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """The standard arithmetic, but the weights of every key, not of every query, sum to one."""
    q, k, v = (split_heads(x, n_heads) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    return join_heads(scores.softmax(-2) @ v)


def no_softmax(q: Tensor, k: Tensor, v: Tensor, n_heads: int) -> Tensor:
    """The scores q kᵀ / √d themselves weigh the values."""
    q, k, v = (split_heads(x, n_heads) for x in (q, k, v))
    return join_heads(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 @ v)


ATTEND: dict[str, Attend] = {
    STANDARD: standard,
    "joined_by_view": joined_by_view,
    "split_by_view": split_by_view,
    "split_and_joined_by_view": split_and_joined_by_view,
    "scores_times_sqrt_d": scores_times_sqrt_d,
    "softmax_over_queries": softmax_over_queries,
    "no_softmax": no_softmax,
}
"""Queries, keys and values (B, N, D) and the number of heads to what the output Linear sees (B, N, D), image by image."""


class Attention(nn.Module):
    """Multi-head self-attention without a mask; `variant` names its arithmetic."""

    def __init__(self, dim: int, n_heads: int, variant: str = STANDARD) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attend = ATTEND[variant]
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to the same shape."""
        return cast("Tensor", self.out_proj(self.attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.n_heads)))


class Block(nn.Module):
    """Attention and MLP, each followed by a residual sum and a LayerNorm."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.Attention = Attention(cfg.dim, cfg.n_heads, cfg.variant)
        self.LayerNorm1 = nn.LayerNorm(cfg.dim, eps=LN_EPS)
        self.LayerNorm2 = nn.LayerNorm(cfg.dim, eps=LN_EPS)
        self.MLP = nn.Sequential(nn.Linear(cfg.dim, cfg.hidden_dim), nn.GELU(), nn.Linear(cfg.hidden_dim, cfg.dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to the same shape."""
        x = self.LayerNorm1(x + self.Attention(x))
        return cast("Tensor", self.LayerNorm2(x + self.MLP(x)))


class BidirectionalTransformer(nn.Module):
    """Tokens (B, N), the mask token at masked places, to logits (B, N, V + 1)."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.config = cfg
        self.tok_emb = nn.Embedding(cfg.num_codebook_vectors + 1, cfg.dim)
        self.pos_emb = nn.Parameter(torch.zeros(cfg.num_image_tokens, cfg.dim))
        self.LN = nn.LayerNorm(cfg.dim, eps=LN_EPS)
        self.blocks = nn.ModuleList([Block(cfg) for _ in range(cfg.n_layers)])
        self.Token_Prediction = nn.Sequential(nn.Linear(cfg.dim, cfg.dim), nn.GELU(), nn.LayerNorm(cfg.dim, eps=LN_EPS))
        self.bias = nn.Parameter(torch.zeros(cfg.num_image_tokens, cfg.num_codebook_vectors + 1))
        self.apply(_init_weights)
        nn.init.trunc_normal_(self.pos_emb, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits over all V codes and the mask token at every place."""
        return self.predict(self.hidden(tokens))

    def hidden(self, tokens: Tensor) -> Tensor:
        """Output of the last block, (B, N, dim)."""
        x = self.LN(self.tok_emb(tokens) + self.pos_emb)
        for block in self.blocks:
            x = block(x)
        return cast("Tensor", x)

    def predict(self, x: Tensor) -> Tensor:
        """Output of the last block (B, N, dim) to logits (B, N, V + 1)."""
        return cast("Tensor", self.Token_Prediction(x) @ self.tok_emb.weight.T + self.bias)


def _init_weights(module: nn.Module) -> None:
    """BERT's initialisation, as in the paper's code: truncated normal of 0.02, biases zero."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
