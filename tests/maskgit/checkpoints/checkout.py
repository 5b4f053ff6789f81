"""A checkout in the shape of the lab's code, written for these tests: files by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = """
import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, dim=768, num_heads=16, attn_drop=0.1):
        super().__init__()
        self.num_heads = num_heads
        self.drop = nn.Dropout(attn_drop)
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, D = x.shape
        q, k, v = (p(x).reshape(B, N, self.num_heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        weights = self.drop((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1))
        return self.out_proj((weights @ v).transpose(1, 2).reshape(B, N, D))


class Block(nn.Module):
    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.Attention = MultiHeadAttention(dim)
        self.LayerNorm1, self.LayerNorm2 = nn.LayerNorm(dim, eps=1e-12), nn.LayerNorm(dim, eps=1e-12)
        self.MLP = nn.Sequential(nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim), nn.Dropout(0.1))

    def forward(self, x):
        x = self.LayerNorm1(x + self.Attention(x))
        return self.LayerNorm2(x + self.MLP(x))
"""
TRANSFORMER = """
import torch
from torch import nn
from .modules.layers import Block


class Bidirectional(nn.Module):
    def __init__(self, configs):
        super().__init__()
        tokens, codes, dim = configs["num_image_tokens"], configs["num_codebook_vectors"], configs["dim"]
        self.tok_emb = nn.Embedding(codes + 1, dim)
        self.pos_emb = nn.Parameter(torch.zeros(tokens, dim))
        self.blocks = nn.Sequential(*(Block(dim, configs["hidden_dim"]) for _ in range(configs["n_layers"])))
        self.Token_Prediction = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim, eps=1e-12))
        self.bias = nn.Parameter(torch.zeros(tokens, codes + 1))
        self.LN = nn.LayerNorm(dim, eps=1e-12)

    def forward(self, tokens):
        x = self.blocks(self.LN(self.tok_emb(tokens) + self.pos_emb))
        return self.Token_Prediction(x) @ self.tok_emb.weight.T + self.bias
"""
VQGAN = """
import torch
import torch.nn.functional as F
from torch import nn


def conv(a, b):
    return nn.Conv2d(a, b, 3, padding=1)


class Norm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gn = nn.GroupNorm(32, c, eps=1e-6)

    def forward(self, x):
        return self.gn(x)


class Residual(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.block = nn.Sequential(Norm(a), nn.SiLU(), conv(a, b), Norm(b), nn.SiLU(), conv(b, b))
        self.channel_up = nn.Conv2d(a, b, 1) if a != b else None

    def forward(self, x):
        return (x if self.channel_up is None else self.channel_up(x)) + self.block(x)


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = Norm(c)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        B, C, H, W = h.shape
        q, k, v = (layer(h).view(B, C, H * W) for layer in (self.q, self.k, self.v))
        weights = (q.transpose(1, 2) @ k * C**-0.5).softmax(-1)
        return x + self.proj_out((v @ weights.transpose(1, 2)).view(B, C, H, W))


class Down(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Up(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = conv(c, c)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0))


class Coder(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


def encoder(p):
    widths, side = p["enc_channels"], p["img_resolution"]
    layers = [conv(3, widths[0])]
    for i in range(5):
        a, b = widths[i], widths[i + 1]
        for c in (a, b):
            layers.append(Residual(c, b))
            if side == p["latent_resolution"]:
                layers.append(SelfAttention(b))
        if i in (2, 4):
            layers.append(Down(b))
            side //= 2
    c = widths[-1]
    return Coder([*layers, Residual(c, c), SelfAttention(c), Residual(c, c), Norm(c), nn.SiLU(), conv(c, p["latent_dim"])])


def decoder(p):
    widths, side = p["dec_channels"], p["latent_resolution"]
    c = widths[-1]
    layers = [conv(p["latent_dim"], c), Residual(c, c), SelfAttention(c), Residual(c, c)]
    for i in reversed(range(5)):
        for _ in range(3):
            layers.append(Residual(c, widths[i]))
            c = widths[i]
            if side == p["latent_resolution"]:
                layers.append(SelfAttention(c))
        if i in (2, 4):
            layers.append(Up(c))
            side *= 2
    return Coder([*layers, Norm(c), conv(c, 3)])


class Codebook(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.embedding = nn.Embedding(p["num_codebook_vectors"], p["latent_dim"])

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        distance = flat.pow(2).sum(1, keepdim=True) + self.embedding.weight.pow(2).sum(1) - 2 * flat @ self.embedding.weight.T
        indices = distance.argmin(1)
        quantised = self.embedding(indices).view(z.shape[0], z.shape[2], z.shape[3], -1).permute(0, 3, 1, 2)
        return quantised, indices, (quantised - z).pow(2).mean()


class VQGAN(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.encoder, self.decoder, self.codebook = encoder(p), decoder(p), Codebook(p)
        self.quant_conv = nn.Conv2d(p["latent_dim"], p["latent_dim"], 1)
        self.post_quant_conv = nn.Conv2d(p["latent_dim"], p["latent_dim"], 1)

    def encode(self, images):
        return self.codebook(self.quant_conv(self.encoder(images)))

    def decode(self, latents):
        return self.decoder(self.post_quant_conv(latents))
"""
MODEL = """
import math
import torch
import yaml
from torch import nn
from models.VQGAN import VQGAN
from models.Transformer import Bidirectional
from utils import gamma_function


class MaskGit(nn.Module):
    def __init__(self, configs):
        super().__init__()
        self.vqgan = self.load_vqgan(configs["VQ_Configs"])
        self.gamma = gamma_function(configs["gamma_type"])
        self.transformer = Bidirectional(configs["Transformer_param"])

    @staticmethod
    def load_vqgan(paths):
        with open(paths["VQ_config_path"]) as file:
            model = VQGAN(yaml.safe_load(file)["model_param"])
        model.load_state_dict(torch.load(paths["VQ_CKPT_path"]))
        return model
"""
UTILS = """
import math


def gamma_function(name):
    return {"cosine": lambda r: math.cos(r * math.pi / 2), "linear": lambda r: 1 - r}[name]
"""
FILES = {
    "models/VQGAN_Transformer.py": MODEL,
    "models/VQGAN/__init__.py": "from .vqgan import VQGAN\n",
    "models/VQGAN/vqgan.py": VQGAN,
    "models/Transformer/__init__.py": "from .transformer import Bidirectional\n",
    "models/Transformer/transformer.py": TRANSFORMER,
    "models/Transformer/modules/layers.py": LAYERS,
    "utils.py": UTILS,
    "training_transformer.py": "from models.VQGAN_Transformer import MaskGit\nraise SystemExit('a script')\n",
    "inpainting.py": "raise RuntimeError('another script')\n",
}
WEIGHTS = {
    "transformer.pt": "transformer_checkpoints/best_val.pth",
    "MaskGit.yml": "config/MaskGit.yml",
    "VQGAN.yml": "models/VQGAN/config/VQGAN.yml",
    "VQGAN.pt": "models/VQGAN/checkpoints/VQGAN.pt",
}


def write_checkout(root: Path, lab: Path) -> Path:
    """The code above with the weights and configs of a lab folder, in the lab's usual four folders."""
    for place, text in FILES.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="utf-8")
    for name, place in WEIGHTS.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes((lab / name).read_bytes())
    config = root / WEIGHTS["MaskGit.yml"]
    text = config.read_text().replace("path: VQGAN.pt", f"path: {WEIGHTS['VQGAN.pt']}")
    config.write_text(text.replace("path: VQGAN.yml", f"path: {WEIGHTS['VQGAN.yml']}"))
    return root
