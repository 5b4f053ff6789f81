"""Sizes of the two networks: plain data, so that planning needs no torch."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = 5
RESAMPLED_LEVELS = (2, 4)  # the encoder halves the resolution after these levels, the decoder doubles it

Precision = Literal["float32", "tf32", "bf16"]
"""Precision of the networks; see `maskgit.precision`."""

STANDARD = "standard"
VARIANTS = {
    STANDARD: "softmax(q kᵀ / √d) v for each head",
    "joined_by_view": "heads joined without moving the head axis back",
    "split_by_view": "heads split by a plain view, then joined as usual",
    "split_and_joined_by_view": "heads split and joined by a plain view",
    "scores_times_sqrt_d": "scores multiplied by √d instead of divided",
    "softmax_over_queries": "softmax over the queries instead of the keys",
    "no_softmax": "scores used as weights, without a softmax",
}
"""Arithmetic of the attention, by name; `maskgit.transformer.ATTEND` computes each."""


@dataclass(frozen=True)
class TokenizerConfig:
    """Sizes of a tokenizer; the defaults are the lab's usual ones.

    Channel counts are multiples of 32 (group norm has 32 groups); `enc_channels` has LEVELS + 1 entries,
    `dec_channels` LEVELS. `mean` and `std` normalise an RGB image in [0, 1] before encoding and are undone after
    decoding.
    """

    image_channels: int = 3
    img_resolution: int = 64
    latent_resolution: int = 16
    latent_dim: int = 256
    num_codebook_vectors: int = 1024
    enc_channels: tuple[int, ...] = (128, 128, 128, 256, 256, 512)
    dec_channels: tuple[int, ...] = (128, 128, 256, 256, 512)
    enc_blocks: int = 2
    dec_blocks: int = 3
    beta: float = 0.25
    mean: tuple[float, ...] = (0.4868, 0.4341, 0.3844)
    std: tuple[float, ...] = (0.2620, 0.2527, 0.2543)

    @classmethod
    def from_dict(cls, data: object, *, file: Path | str, section: str) -> Self:
        """Read and check the table `section` of `file`; every field must be in it.

        Raises:
            CheckpointError: one line with the file, the key and the remedy.
        """
        cfg = cls(**_read(cls, data, file, section))
        _check_tokenizer(cfg, f"{file}: {section}")
        return cfg

    @property
    def num_tokens(self) -> int:
        """Tokens per image, in row-major order of the latent grid."""
        return self.latent_resolution**2

    @property
    def cell(self) -> int:
        """Side in pixels of the image square that one token covers."""
        return self.img_resolution // self.latent_resolution


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a transformer, by default the lab's usual ones. N = num_image_tokens, V = num_codebook_vectors.

    `variant` names the arithmetic of its attention, one of `VARIANTS`; a file may leave it out.
    """

    num_image_tokens: int = 256
    num_codebook_vectors: int = 1024
    dim: int = 768
    n_layers: int = 15
    hidden_dim: int = 1536
    n_heads: int = 16
    variant: str = STANDARD

    @classmethod
    def from_dict(cls, data: object, *, file: Path | str, section: str) -> Self:
        """Read and check the table `section` of `file`; every field but `variant` must be in it.

        Raises:
            CheckpointError: one line with the file, the key and the remedy.
        """
        cfg = cls(**_read(cls, data, file, section))
        if cfg.dim % cfg.n_heads:
            raise CheckpointError(
                f"{file}: {section}.dim = {cfg.dim} is not divisible by the {cfg.n_heads} attention heads; "
                f"it must be a multiple of {cfg.n_heads}"
            )
        return cfg

    def as_dict(self) -> dict[str, Any]:
        """The fields as `from_dict` reads them; the standard variant is left out, as files written before it do."""
        return {key: value for key, value in asdict(self).items() if (key, value) != ("variant", STANDARD)}

    @property
    def mask_token(self) -> int:
        """Index of the mask token: the row after the last code."""
        return self.num_codebook_vectors


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list_of(test: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(test, value))


# Requirement on a value by its field's annotation, in words and as a test.
_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "int": ("a whole number from 1 up", _is_size),
    "str": (f"one of {', '.join(VARIANTS)}", lambda value: isinstance(value, str) and value in VARIANTS),
    "float": ("a finite number", _is_number),
    "tuple[int, ...]": ("a list of whole numbers from 1 up", _is_list_of(_is_size)),
    "tuple[float, ...]": ("a list of finite numbers", _is_list_of(_is_number)),
}


def _read(cls: type, data: object, file: Path | str, section: str) -> dict[str, Any]:
    """The table's values by field, lists as tuples; unknown and missing keys and wrong types are refused."""
    known = {field.name: str(field.type) for field in fields(cls)}
    if not isinstance(data, Mapping):
        raise CheckpointError(f"{file}: {section} must be a table of sizes, found {reprlib.repr(data)}")
    if unknown := [str(key) for key in data if key not in known]:
        raise CheckpointError(
            f"{file}: {section}: unknown key {', '.join(unknown)}; the known ones: {', '.join(known)}"
        )
    required = [field.name for field in fields(cls) if field.name != "variant"]
    if missing := [key for key in required if key not in data]:
        raise CheckpointError(f"{file}: {section}: missing key {', '.join(missing)}; add it with the size trained with")
    for key, kind in known.items():
        words, test = _KINDS[kind]
        if key in data and not test(data[key]):
            raise CheckpointError(f"{file}: {section}.{key} = {reprlib.repr(data[key])} must be {words}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def _check_tokenizer(cfg: TokenizerConfig, where: str) -> None:
    """Refuse sizes that the tokenizer's architecture cannot take."""
    if cfg.image_channels != 3:
        raise CheckpointError(f"{where}.image_channels = {cfg.image_channels} must be 3: images are RGB")
    for key, count in (("enc_channels", LEVELS + 1), ("dec_channels", LEVELS)):
        widths = getattr(cfg, key)
        if len(widths) != count or any(width % 32 for width in widths):
            raise CheckpointError(f"{where}.{key} = {list(widths)} must be {count} multiples of 32 (group norm)")
    halvings = len(RESAMPLED_LEVELS)
    if cfg.img_resolution != cfg.latent_resolution * 2**halvings:
        raise CheckpointError(
            f"{where}.img_resolution = {cfg.img_resolution} must be {2**halvings} times "
            f"latent_resolution = {cfg.latent_resolution}: the encoder halves it {halvings} times"
        )
    for key in ("mean", "std"):
        if len(getattr(cfg, key)) != cfg.image_channels:
            raise CheckpointError(f"{where}.{key} must have {cfg.image_channels} values, one per channel")
    if min(cfg.std) <= 0:
        raise CheckpointError(f"{where}.std = {list(cfg.std)} must be positive")
