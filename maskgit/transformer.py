"""Bidirectional transformer of MaskGIT: logits over the codes at every place of the token grid.

Architecture: Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022 (a BERT-style, post-norm encoder
with tied output embedding), in the variant our users train; parameter names are theirs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskgit.config import TransformerConfig

LN_EPS = 1e-12


class Attention(nn.Module):
    """Multi-head self-attention without a mask."""

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to the same shape."""
        B, N, D = x.shape
        q, k, v = (
            proj(x).view(B, N, self.n_heads, D // self.n_heads).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v)  # scale head_dim^-0.5
        return self.out_proj(out.transpose(1, 2).reshape(B, N, D))


class Block(nn.Module):
    """Attention and MLP, each followed by a residual sum and a LayerNorm."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.Attention = Attention(cfg.dim, cfg.n_heads)
        self.LayerNorm1 = nn.LayerNorm(cfg.dim, eps=LN_EPS)
        self.LayerNorm2 = nn.LayerNorm(cfg.dim, eps=LN_EPS)
        self.MLP = nn.Sequential(nn.Linear(cfg.dim, cfg.hidden_dim), nn.GELU(), nn.Linear(cfg.hidden_dim, cfg.dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to the same shape."""
        x = self.LayerNorm1(x + self.Attention(x))
        return self.LayerNorm2(x + self.MLP(x))


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
        x = self.LN(self.tok_emb(tokens) + self.pos_emb)
        for block in self.blocks:
            x = block(x)
        return self.Token_Prediction(x) @ self.tok_emb.weight.T + self.bias


def _init_weights(module: nn.Module) -> None:
    """BERT's initialisation, as in the paper's code: truncated normal of 0.02, biases zero."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
