"""Sections that name the inputs: `[model]`, `[data]`, `[[external]]`. Every default is written here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from bench.grid.types import AboveZero, Flag, Number, Positive, Section, as_list, as_list_if_any, without_repeats
from maskgit.config import VARIANTS
from maskgit.data.checks import MasksAre


def _known_variant(name: str) -> str:
    if name not in VARIANTS:
        raise ValueError(f"no such variant; use one of {', '.join(VARIANTS)}")
    return name


class AttentionKeys(Section):
    """Modules of a lab checkpoint's attention, below `blocks.i.Attention.`; `*` is a head's number in a list of heads."""

    q: str | None = Field(default=None, description="Queries.", examples=["W_q"])
    k: str | None = Field(default=None, description="Keys.", examples=["W_k"])
    v: str | None = Field(default=None, description="Values.", examples=["W_v"])
    kv: str | None = Field(default=None, description="Keys and values in one matrix.", examples=["to_kv"])
    qkv: str | None = Field(default=None, description="Queries, keys and values in one matrix.", examples=["to_qkv"])
    out: str | None = Field(default=None, description="The output projection.", examples=["W_o"])

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, str]:
        """The modules that were given."""
        return {role: module for role, module in handler(self).items() if module is not None}


class ModelSection(Section):
    """The checkpoints to decode with; a list is an axis of the grid.

    A checkpoint is a bundled name, a checkpoint folder, a lab folder, a file of weights, "lab-code:PATH" or
    "python:./file.py:factory". Single files of the lab layout replace those of a lab folder, or the whole folder;
    several files of `transformer`, or a pattern such as "epoch_*.pt", are checkpoints with one tokenizer. `attention` is
    the user's own class, for checkpoints in the lab layout: "path/to/layers.py:Class" (docs/own-code.md). `mean` and
    `std` replace the normalisation of the checkpoint. `attention_keys`, `order`, `variant` and `ema` declare how a lab
    checkpoint is read (docs/checkpoints.md).
    """

    checkpoint: Annotated[tuple[str, ...], BeforeValidator(as_list)] = Field(
        default=(),
        description="A bundled name, a folder, a file of weights, or the user's own code; a list is an axis of the grid.",
        examples=[["epoch-10", "epoch-20"]],
    )
    tokenizer: Path | None = Field(default=None, description="Weights of the tokenizer.", examples=["VQGAN.pt"])
    tokenizer_config: Path | None = Field(default=None, description="Sizes of the tokenizer.", examples=["VQGAN.yml"])
    transformer: Annotated[tuple[Path, ...], BeforeValidator(as_list_if_any)] = Field(
        default=(),
        description="Weights of the transformer; a pattern or a list of files is an axis of the grid.",
        examples=["checkpoints/epoch_*.pt"],
    )
    transformer_config: Path | None = Field(
        default=None, description="Sizes of the transformer.", examples=["MaskGit.yml"]
    )
    attention: str | None = Field(
        default=None,
        description="The user's own attention class, for checkpoints in the lab layout.",
        examples=["layers.py:MultiHeadAttention"],
    )
    mean: tuple[Number, Number, Number] | None = Field(
        default=None,
        description="Mean of each channel that the tokenizer was trained with; the checkpoint's unless given.",
        examples=[[0.4868, 0.4341, 0.3844]],
    )
    std: tuple[AboveZero, AboveZero, AboveZero] | None = Field(
        default=None,
        description="Standard deviation of each channel that the tokenizer was trained with; the checkpoint's unless given.",
        examples=[[0.262, 0.2527, 0.2543]],
    )
    attention_keys: AttentionKeys = Field(
        default=AttentionKeys(),
        description="Names of the attention's modules, by role.",
        examples=[{"q": "W_q", "k": "W_k", "v": "W_v", "out": "W_o"}],
    )
    order: Literal["qkv", "heads"] | None = Field(
        default=None,
        description="Row order of a fused attention matrix; measured on the test images unless given.",
        examples=["heads"],
    )
    variant: Annotated[str, AfterValidator(_known_variant)] | None = Field(
        default=None,
        description="Arithmetic of the attention; the usual one unless given or measured.",
        examples=[next(name for name in VARIANTS)],
    )
    ema: Flag = Field(default=False, description="Use the moving average of the weights in the file.")

    _distinct = field_validator("checkpoint", "transformer")(without_repeats)

    @model_validator(mode="after")
    def _one_way_to_name_it(self) -> ModelSection:
        needed = {key: getattr(self, key) for key in ("transformer", "tokenizer_config", "transformer_config")}
        if not self.checkpoint and not all(needed.values()):
            raise ValueError(
                f"{', '.join(key for key, file in needed.items() if not file)} not given; give checkpoint, or "
                "transformer, both configs, and tokenizer unless the transformer's file holds it"
            )
        if len(self.checkpoint) > 1 and (self.tokenizer or any(needed.values())):
            raise ValueError("files of the lab layout need one checkpoint, or none; name a folder for each checkpoint")
        return self


class DataSection(Section):
    """The masked test set: a built-in one, or folders (the ground truth may also be a CSV).

    `masks_are` says which side of a mask is the hole: "hole_black" (0), "hole_white" (255), or "auto": as the masked
    images show, or black if there are none.
    """

    dataset: Literal["catfaces"] | None = Field(
        default=None, description="The built-in test set, instead of folders.", examples=["catfaces"]
    )
    count: Annotated[int, Field(ge=3, strict=True)] = Field(default=256, description="Images of the built-in test set.")
    size: Literal[64, 128] = Field(default=64, description="Edge length of the built-in images in pixels.")
    ground_truth: Path | None = Field(
        default=None,
        description="The original images: a folder, or a CSV with one row per image.",
        examples=["test/test_gt.csv"],
    )
    masks: Path | None = Field(
        default=None,
        description="Folder of masks, matched by number; 0 = hole and 255 = known unless masks_are says otherwise.",
        examples=["test/mask64"],
    )
    masked_images: Path | None = Field(
        default=None,
        description="Folder of the masked images; unless given, the holes are painted over the ground truth.",
        examples=["test/masked_image"],
    )
    masks_are: MasksAre = Field(
        default="auto",
        description="Side of a mask that is the hole; auto: as the masked images show, or black without them.",
    )
    train: Annotated[tuple[Path, ...], BeforeValidator(as_list)] = Field(
        default=(),
        description="Training folders: test images in one of them are counted, and the others also scored alone.",
        examples=[["train", "val"]],
    )
    limit: Positive | None = Field(
        default=None, description="Use only the first images of the test set.", examples=[64]
    )

    @model_validator(mode="after")
    def _one_source(self) -> DataSection:
        folders = self.masks or self.ground_truth or self.masked_images
        if self.dataset is not None and (folders or self.masks_are != "auto"):
            raise ValueError("give either dataset, or masks with ground_truth, masked_images and masks_are, not both")
        if self.dataset is None and (self.masks is None or self.ground_truth is None):
            raise ValueError(
                'give dataset = "catfaces", or both masks and ground_truth (folders; ground_truth may be a CSV)'
            )
        return self


class ExternalSection(Section):
    """This test set as inpainted by another program, scored as a reference row of the same tables."""

    name: Annotated[str, Field(pattern=r"^[\w .-]+$")] = Field(
        description="Name of the row in tables and reports.", examples=["my script"]
    )
    images: Path = Field(
        description="Folder of its images, matched with the test images by number.", examples=["inpainting_results"]
    )
