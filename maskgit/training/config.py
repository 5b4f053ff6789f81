"""Training recipes: the keys of a TOML file, checked before any work (no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import InputError
from maskgit.schedules import schedule
from maskgit.toml_files import read_toml

if TYPE_CHECKING:
    from pathlib import Path

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0)]
IndexRange = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]


class _Table(BaseModel):
    """A TOML table; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataRecipe(_Table):
    """Images: folders under `root` and index ranges of `catfaces`.

    `root` is relative to the recipe's folder. A training image is dropped when its pixels equal those of an image in
    `exclude_equal_to` or of an earlier training image; a validation image also when it is in the training set.
    `catfaces` and `catfaces_val` are [first, end) index ranges.
    """

    root: str = "."
    folders: list[str] = []
    exclude_equal_to: list[str] = []
    val: list[str] = []
    val_limit: Positive = 256
    catfaces: IndexRange | None = None
    catfaces_val: IndexRange | None = None


class LoopRecipe(_Table):
    """Optimisation settings of both stages; `steps` are optimiser steps.

    The weights that are validated and exported are a moving average over the steps, of decay `ema_decay`.
    `device` is "cpu", "cuda", "cuda:1" and so on, or "auto": a CUDA GPU if there is one, else the CPU. All random
    numbers are drawn on the CPU, so masks, flips and batches are the same on every device; only rounding differs.
    A training may be resumed on another device.
    """

    steps: Positive
    batch: Positive = 16
    lr: Annotated[float, Field(gt=0.0)] = 1e-3
    lr_floor: Share = 0.02
    warmup: Positive = 50
    weight_decay: Weight = 0.0
    betas: Annotated[list[Annotated[float, Field(ge=0.0, lt=1.0)]], Field(min_length=2, max_length=2)] = [0.9, 0.95]
    grad_clip: Annotated[float, Field(gt=0.0)] = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    log_every: Positive = 20
    validate_every: Positive = 200
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.995
    checkpoint_s: Annotated[float, Field(ge=0.0)] = 60.0
    print_s: Annotated[float, Field(gt=0.0)] = 10.0


class TokenizerTraining(LoopRecipe):
    """Stage 1: weights of the losses and codebook updates.

    `hole_share` is the share of images with a random-walk hole painted grey, as at inference. `quantise_after`
    is the step at which the codebook is made from the latents (a plain autoencoder before; a training that starts
    from another's weights uses its codebook at once, if it has as many codes). The perceptual loss is that of a share
    `perceptual_share` of each batch: it costs as much as the tokenizer itself. The discriminator starts at the share
    `discriminator_start` of the steps. `chroma_weight` multiplies the part of an error that differs between the
    channels: colour is a small part of the variance and would otherwise be learnt last.
    """

    l1_weight: Weight = 1.0
    l2_weight: Weight = 1.0
    chroma_weight: Annotated[float, Field(ge=1.0)] = 1.0
    perceptual_weight: Weight = 0.1
    perceptual_weights: str | None = None
    perceptual_share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    discriminator_weight: Weight = 0.2
    discriminator_start: Share = 0.65
    discriminator_width: Positive = 32
    discriminator_lr: Annotated[float, Field(gt=0.0)] = 5e-4
    decoder_only: bool = False
    hole_share: Share = 0.25
    hole_pool: Positive = 1024
    quantise_after: Annotated[int, Field(ge=0)] = 100
    codebook_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.97
    restart_every: Positive = 20
    restart_below: Weight = 0.1


class TransformerTraining(LoopRecipe):
    """Stage 2: masking of tokens.

    `mask` is "bernoulli" (each token with probability ½, as in the lab's code) or "gamma:<name>" (a ratio drawn from
    that gamma function, as in the paper). A share `walk_share` of the samples has a random-walk hole instead, its
    known tokens taken from the encoded masked image. Every image is encoded in advance in `versions` versions, each
    flipped or not and with a hole. `label_smoothing` (0.1 in the paper) spreads that much probability over all codes,
    which decoding then draws as specks: off by default.
    """

    accumulate: Positive = 1
    mask: str = "gamma:cosine"
    walk_share: Share = 0.5
    versions: Positive = 1
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0

    @field_validator("mask")
    @classmethod
    def _known_mask(cls, value: str) -> str:
        kind, _, name = value.partition(":")
        if value != "bernoulli" and kind != "gamma":
            raise ValueError('must be "bernoulli" or "gamma:<name>"')
        if kind == "gamma":
            try:
                schedule(name)
            except InputError as error:
                raise ValueError(str(error)) from error
        return value


class TokenizerRecipe(_Table):
    """A stage 1 recipe; `output` is relative to the recipe's folder.

    `start` is a bundled name or folder of a tokenizer whose weights are the initial ones; its sizes must be `model`'s, but
    for the number of codes: with another number, the codebook is made from the latents.
    """

    name: str
    output: str
    start: str | None = None
    seed: int = 0
    data: DataRecipe
    model: dict[str, Any]
    train: TokenizerTraining


class TransformerRecipe(_Table):
    """A stage 2 recipe; `tokenizer` is a bundled name or a folder relative to the recipe's folder.

    `start` is a bundled name or folder of a model whose transformer has the initial weights; its sizes must be `model`'s.
    """

    name: str
    output: str
    start: str | None = None
    tokenizer: str
    seed: int = 0
    data: DataRecipe
    model: dict[str, Any]
    train: TransformerTraining


Recipe = TypeVar("Recipe", TokenizerRecipe, TransformerRecipe)


def read_recipe(path: Path, kind: type[Recipe]) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: one line with the file, the key, the problem and the remedy.
    """
    data = read_toml(path, "a training recipe")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            table: type[BaseModel] = kind
            for part in first["loc"][:-1]:
                table = table.model_fields[str(part)].annotation  # type: ignore[assignment]
            raise InputError(f"{path}: unknown key {key}; the known ones: {', '.join(table.model_fields)}") from error
        if first["type"] == "missing":
            raise InputError(f"{path}: missing key {key}; add it") from error
        raise InputError(f"{path}: {key} = {first['input']!r}: {first['msg']}; correct this value") from error


def tokenizer_config(recipe: TokenizerRecipe, path: Path) -> TokenizerConfig:
    """Sizes of the tokenizer: the recipe's `model` table over the defaults of TokenizerConfig."""
    defaults = {key: getattr(TokenizerConfig(), key) for key in TokenizerConfig.__dataclass_fields__}
    return TokenizerConfig.from_dict({**defaults, **recipe.model}, file=path, section="model")


def transformer_config(recipe: TransformerRecipe, path: Path, tokenizer: TokenizerConfig) -> TransformerConfig:
    """Sizes of the transformer: the recipe's `model` table; tokens and codes are the tokenizer's."""
    fixed = {"num_image_tokens": tokenizer.num_tokens, "num_codebook_vectors": tokenizer.num_codebook_vectors}
    if given := sorted(set(fixed) & set(recipe.model)):
        raise InputError(f"{path}: model.{given[0]} follows from the tokenizer; leave it out")
    return TransformerConfig.from_dict({**recipe.model, **fixed}, file=path, section="model")
