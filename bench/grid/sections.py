"""Sections of `grid.toml` as typed, checked data. Every default is written here and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

from bench.grid.settings import COMPOSE, GAMMA, SWEET_SPOT, TOTAL_ITER
from maskgit import schedules
from maskgit.config import VARIANTS
from maskgit.data.checks import MasksAre
from maskgit.rules import RULE_NAMES, Setting, rule_settings


def as_list(value: Any) -> Any:
    """The value as a list; a scalar becomes a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def as_list_if_any(value: Any) -> Any:
    """The value as a list; a scalar becomes a list of one, None an empty list."""
    return () if value is None else as_list(value)


def without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values, after a check that no two are equal."""
    if len(set(values)) != len(values):
        raise ValueError("a value appears twice in the list; name each once")
    return values


def _folder_name(name: str) -> str:
    """Check the name of a run: it is the name of its folder in results/, and must not lead out of it."""
    if not re.fullmatch(r"[\w.-]+", name) or not name.strip("."):
        raise ValueError("a name consists of letters, digits, '_', '-' and '.', and not only of dots")
    return name


def _known_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError(f"{name} is not supported; use auto, cpu, cuda or cuda:1 (the number of a GPU)")
    return name


def _known_gamma(name: str) -> str:
    schedules.schedule(name)
    return name


def _known_variant(name: str) -> str:
    if name not in VARIANTS:
        raise ValueError(f"no such variant; use one of {', '.join(VARIANTS)}")
    return name


Gamma = Annotated[str, AfterValidator(_known_gamma)]
V = TypeVar("V")
ListOf = Annotated[tuple[V, ...], BeforeValidator(as_list), Field(min_length=1)]
"""One value or more; a scalar becomes a list of one."""
Flag = Annotated[bool, Field(strict=True)]
Integer = Annotated[int, Field(strict=True)]
Positive = Annotated[int, Field(ge=1, strict=True)]
Steps = Annotated[int, Field(ge=1, le=10_000, strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
AboveZero = Annotated[Number, Field(gt=0)]
ZeroOrMore = Annotated[Number, Field(ge=0)]


class Section(BaseModel):
    """A table of the TOML file: immutable; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSection(Section):
    """Name of the run, and seeds of its noise."""

    name: Annotated[str, AfterValidator(_folder_name)] = Field(
        default="run",
        description="Name of the run in reports, and of its folder in results/ unless --output names one.",
    )
    seeds: ListOf[Integer] = Field(
        default=(0,), description="Seeds of the decoding noise, 0 or above: an axis of the grid.", examples=[[0, 1, 2]]
    )

    _distinct = field_validator("seeds")(without_repeats)

    @field_validator("seeds")
    @classmethod
    def _in_range(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= seed < 2**63 for seed in seeds):
            raise ValueError("a seed is in [0, 2^63)")
        return seeds


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


SWEET_SPOT_DEFAULT = "all"
LAST_STEP = -1
"""The sweet spot that means the last step, as in scripts with `sweet_spot = -1`."""


def _axis_of(setting: Setting[Any]) -> Any:
    """Type and default of the axis of a declared setting."""
    value: Any = Annotated[setting.kind, Field(strict=True)]
    if setting.choices is not None:
        value = Literal[tuple(setting.choices)]
    elif setting.kind in (int, float):
        bounds = Field(ge=setting.at_least, gt=setting.above)
        value = Annotated[Number if setting.kind is float else Integer, bounds]
    return ListOf[value] | None, Field(default=None, description=setting.meaning)


class _ScheduleAxes(Section):
    gamma: ListOf[Gamma] | None = Field(
        default=None, description=GAMMA.meaning, examples=[["linear", "cosine", "power:1.5"]]
    )
    total_iter: ListOf[Steps] | None = Field(default=None, description=TOTAL_ITER.meaning, examples=[[8, 10, 12]])
    sweet_spot: Literal["all"] | Annotated[tuple[int | float, ...], BeforeValidator(as_list)] | None = Field(
        default=None,
        description=f"{SWEET_SPOT.meaning} Steps, -1 for the last, fractions of T, or all.",
        examples=[[0.5, 1.0]],
    )
    rule: ListOf[Literal[RULE_NAMES]] | None = Field(  # type: ignore[valid-type]
        default=None, description="Named rule that gives the defaults of settings that are left out."
    )


if TYPE_CHECKING:
    _DeclaredAxes = _ScheduleAxes
else:
    _DeclaredAxes = create_model(
        "_DeclaredAxes",
        __base__=_ScheduleAxes,
        **{setting.name: _axis_of(setting) for setting in (*rule_settings(), COMPOSE)},
    )


class Axes(_DeclaredAxes):
    """Axes of the grid. An axis that is left out has the default of `rule`, or its general default."""

    @field_validator("sweet_spot", mode="before")
    @classmethod
    def _steps_or_fractions(cls, value: Any) -> Any:
        known = 'steps (1, 2, …; -1 is the last), fractions of T (0.5, 1.0) or "all"'
        if value is None or value == "all":
            return value
        if value in ([], ()):
            raise ValueError(f"the list is empty; name {known}")
        for spot in as_list(value):
            if isinstance(spot, bool) or not isinstance(spot, int | float):
                raise ValueError(f"{spot!r} is neither a step nor a fraction; name {known}")
            if isinstance(spot, int) and spot < 1 and spot != LAST_STEP:
                raise ValueError(f"{spot} is not a step; the first step is 1, and {LAST_STEP} means the last")
            if isinstance(spot, float) and not 0 < spot <= 1:
                raise ValueError(f"{spot} is not a fraction of T; a fraction is in (0, 1], and 1.0 is the last step")
        return value


class GridSection(Axes):
    """The grid: the product of its axes, plus the cells of `include`, minus the cells of `exclude`.

    An entry of `include` is another product, which takes the axes that it leaves out from the main grid. An entry of
    `exclude` removes every cell that agrees with all the settings it names.
    """

    include: tuple[Axes, ...] = Field(
        default=(),
        description="Further products of axes; an axis that an entry leaves out is that of the grid.",
        examples=[[{"rule": "paper", "choice_temperature": 4.5}]],
    )
    exclude: tuple[Axes, ...] = Field(
        default=(),
        description="Cells to leave out: each entry removes the cells that agree with all the settings it names.",
        examples=[[{"gamma": "linear", "total_iter": 12}]],
    )


class MetricsSection(Section):
    """Feature extractors (the first is the primary one) and the location of their weights."""

    features: ListOf[str] = Field(
        default=("inception",),
        description="Feature extractors; the distance of the first is the score.",
        examples=[["inception", "efficientnet-lite0"]],
    )
    weights: Path | None = Field(
        default=None,
        description="File with the weights of inception; torch hub's cache or a download unless given.",
        examples=["pt_inception-2015-12-05-6726825d.pth"],
    )
    allow_unverified_weights: Flag = Field(
        default=False, description="Accept weights with an unknown sha256; their distance is then not called FID."
    )

    _distinct = field_validator("features")(without_repeats)


class ThroughputSection(Section):
    """Measurement of speed: unit costs after a warm-up, and cells measured end to end as a check."""

    warm_up: Annotated[int, Field(ge=0, strict=True)] = Field(default=1, description="Calls before timing starts.")
    repeats: Positive = Field(default=5, description="Timed calls; the median is used.")
    checks: Annotated[int, Field(ge=0, strict=True)] = Field(
        default=3, description="Cells of each checkpoint that are measured end to end, to check the derived speeds."
    )


class ExecutionSection(Section):
    """Device and settings of the networks. `batch_size` counts tiles, each of `tile` images."""

    device: Annotated[str, AfterValidator(_known_device)] = Field(
        default="auto", description='"cpu", "cuda", "cuda:1", or "auto", which uses a GPU if there is one.'
    )
    precision: Literal["float32", "tf32"] = Field(
        default="float32", description="Precision of matrix products on a GPU: tf32 is faster and less exact."
    )
    threads: Positive | Literal["auto"] = Field(
        default="auto", description="CPU threads of the networks.", examples=[4]
    )
    tile: Positive = Field(
        default=16,
        description="Images per network call. Scores with another tile size agree only within float32 rounding.",
    )
    batch_size: Positive | Literal["auto"] = Field(
        default="auto", description="Tiles in a block, the unit of work and of resumption.", examples=[8]
    )
    executor: Literal["local"] = Field(default="local", description="Executor of the blocks.")
    store: Path | None = Field(
        default=None,
        description="Folder of stored results for reuse; unless given, a folder in the run folder.",
        examples=["store"],
    )

    @property
    def block(self) -> int:
        """Images in a block: the unit of work, of commit and of resumption."""
        return self.tile * (4 if self.batch_size == "auto" else self.batch_size)


class GateSection(Section):
    """Rules of `maskbench gate`: when a candidate is worse. The *baseline's* section applies, not the candidate's.

    A cell fails if its score is worse at significance level `alpha` (over all gated cells together) and by more than
    `tolerance`, a share of the baseline's score; or if its score is above `max_score`; or if its speed, relative to the
    reference workload of its run, is below `min_throughput_ratio` times the baseline's. A score that falls by more than
    the share `suspicious` is flagged. `inconclusive` is the result of a rise beyond tolerance that is not significant.
    `permutations` are random permutations per cell; "auto" chooses as many as the number of cells requires. `cells` is
    "all", or a list of cell ids of the baseline and tables of settings, such as {gamma = "cosine", total_iter = 8}.
    """

    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = Field(
        default=0.05, description="Probability of a false alarm, over all gated cells together."
    )
    tolerance: ZeroOrMore = Field(default=0.01, description="Rise that passes, as a share of the baseline's score.")
    max_score: AboveZero | None = Field(default=None, description="Highest score that passes.", examples=[12.5])
    min_throughput_ratio: AboveZero | None = Field(
        default=None, description="Lowest speed that passes, as a share of the baseline's.", examples=[0.9]
    )
    suspicious: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default=0.2, description="Fall that is flagged as too good, as a share of the baseline's score."
    )
    inconclusive: Literal["pass", "fail"] = Field(
        default="pass", description="Result of a cell whose score rises beyond tolerance, but not significantly."
    )
    permutations: Positive | Literal["auto"] = Field(
        default="auto",
        description="Random permutations per cell; by default as many as the cells need.",
        examples=[9999],
    )
    cells: Annotated[
        tuple[Annotated[Axes | str, Field(union_mode="left_to_right")], ...],
        BeforeValidator(as_list),
        Field(min_length=1),
    ] = Field(
        default=("all",),
        description="Cells to gate: all of the baseline's, cell ids, or tables of settings.",
        examples=[[{"gamma": "cosine", "total_iter": 8}]],
    )


class ExternalSection(Section):
    """This test set as inpainted by another program, scored as a reference row of the same tables."""

    name: Annotated[str, Field(pattern=r"^[\w .-]+$")] = Field(
        description="Name of the row in tables and reports.", examples=["my script"]
    )
    images: Path = Field(
        description="Folder of its images, matched with the test images by number.", examples=["inpainting_results"]
    )
