"""run.json: the record of a run, one model for writing and reading.

Keys are a contract: a new key needs a default, so that runs of earlier versions stay readable; a new name or meaning needs
a new SCHEMA_VERSION. Unknown keys are ignored.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from bench.document.text import clean
from bench.files import read_bytes, write_json
from bench.metrics.naming import Label
from bench.results.schema import SCHEMA_VERSION
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGES = ("encode", "step", "decode")
REPAIR = "`maskbench verify RUN --repair` restores it (a baseline: save it again)"
"""The remedy for a damaged file of a run."""
AboveZero = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=0, strict=True)]
Digest = Annotated[str, Field(min_length=1)]


class Entry(BaseModel):
    """A part of run.json: immutable; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DataSet(Entry):
    """The test set of a run, and the exact copies in it."""

    name: str
    n_images: Annotated[int, Field(ge=1, strict=True)] = Field(description="Number of test images.")
    hole_ratio_mean: FiniteFloat | None = Field(
        default=None, description="Mean share of the pixels that are repainted."
    )
    image_size: int | tuple[int, int] | None = Field(default=None, description="Height and width in pixels.")
    sources: dict[str, str] = Field(default_factory=dict, description="Where images, masks and originals come from.")
    sha256: str | None = Field(default=None, description="sha256 of all masked images, masks and originals.")
    duplicates_in_test: Count = Field(default=0, description="Ground-truth images that repeat an earlier one.")
    train_overlap: Count | None = Field(
        default=None,
        description="Ground-truth images that are in a training folder, pixel by pixel; null if none was given.",
    )
    clean_images: Count | None = Field(default=None, description="Ground-truth images that are in no training folder.")
    other_size: Count | None = Field(
        default=None, description="Training images of another size, which cannot be exact copies."
    )
    passed_over: Count | None = Field(
        default=None, description="Sub-folders of the training folders that were skipped."
    )


class Checkpoint(Entry):
    """One model of the run."""

    name: str
    kind: str = Field(default="native", description="Layout of the checkpoint.")
    fingerprint: Digest = Field(description="Digest of its weights and configuration.")
    parameters: Count | None = Field(default=None, description="Number of parameters.")
    tokens: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Tokens per image.")
    codes: Annotated[int, Field(ge=2)] | None = Field(default=None, description="Codes of the tokenizer's codebook.")
    reading: tuple[str, ...] = Field(default=(), description="How the files of a user's checkpoint were read.")


class Features(Entry):
    """One feature extractor; the first is the primary one, whose distance is the score."""

    name: str
    label: Label = Field(description="Name of its Fréchet distance: FID or FD.")
    dim: Annotated[int, Field(ge=1)] = Field(description="Features per image.")
    sha256: str | None = Field(default=None, description="sha256 of its weights.")
    verified: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="True if the weights are the known ones."
    )
    fingerprint: Digest = Field(description="Digest of weights and code version.")


class MetricVersions(Entry):
    """Versions that two runs must share for their scores to be comparable."""

    version: int | None = Field(default=None, description="Version of the computation of the distances.")
    quantisation: str | None = Field(default=None, description="Rounding of images before features are computed.")
    reference: str | None = Field(default=None, description="paired: every image is scored with its own original.")


class NumericsRecord(Entry):
    """Everything that may change the last bit of a network's output."""

    device: str
    precision: str
    tile: Annotated[int, Field(ge=1)]
    torch: str
    threads: Annotated[int, Field(ge=1)]


class MeasuredCost(Entry):
    """Measured cost of one stage with one checkpoint, in milliseconds per image (step: of one step)."""

    checkpoint: str
    median_ms_per_image: AboveZero
    p25: FiniteFloat
    p75: FiniteFloat
    repeats: int


class UnitCost(MeasuredCost):
    """A measured cost with its stage: encode, step or decode."""

    stage: str


class SpeedCheck(Entry):
    """A cell measured end to end next to its derived speed."""

    cell_id: str
    derived_images_per_s: FiniteFloat
    measured_images_per_s: FiniteFloat
    relative_error: FiniteFloat = Field(description="(derived − measured) / measured.")


class Throughput(Entry):
    """Unit costs, the cells measured end to end, and peak memory."""

    tile: int | None = Field(default=None, description="Images per network call.")
    reference_ms: AboveZero | None = Field(
        default=None, description="Milliseconds of a fixed reference workload, for comparing machines."
    )
    encode_ms: tuple[MeasuredCost, ...] = Field(default=(), description="Encoding an image.")
    step_ms: tuple[MeasuredCost, ...] = Field(default=(), description="One decoding step.")
    decode_ms: tuple[MeasuredCost, ...] = Field(default=(), description="Rendering an image.")
    checks: tuple[SpeedCheck, ...] = ()
    peak_memory_mb: FiniteFloat | None = None

    @property
    def unit_costs(self) -> tuple[UnitCost, ...]:
        """All unit costs in one list, stage by stage."""
        return tuple(
            UnitCost(stage=stage, **cost.model_dump()) for stage in STAGES for cost in getattr(self, f"{stage}_ms")
        )


class Skipped(Entry):
    """A checkpoint that `run --keep-going` skipped, and the reason."""

    checkpoint: str
    reason: str


class RunRecord(Entry):
    """The content of run.json, which is written last: a folder without it is not a finished run."""

    schema_version: Literal[3] = Field(default=SCHEMA_VERSION, alias="schema")
    name: str
    created: str | None = None
    finished: str | None = None
    complete: Annotated[bool, Field(strict=True)] = Field(description="True if no checkpoint was skipped.")
    skipped: tuple[Skipped, ...] = ()
    spec: dict[str, Any] = Field(description="The grid.toml with every default, paths as written.")
    environment: dict[str, str | int | FiniteFloat | None] = Field(
        default_factory=dict, description="Versions, processor, device and threads."
    )
    numerics: NumericsRecord | None = None
    data: DataSet
    checkpoints: Annotated[tuple[Checkpoint, ...], Field(min_length=1)]
    features: Annotated[tuple[Features, ...], Field(min_length=1)]
    metrics: MetricVersions = MetricVersions()
    throughput: Throughput | None = None
    counts: dict[str, int] = Field(default_factory=dict, description="Cells, trajectories, passes and canvases.")
    seconds: dict[str, FiniteFloat] = Field(default_factory=dict, description="Seconds that each stage took.")
    warnings: tuple[str, ...] = Field(default=(), description="Caveats that every report shows.")
    base: str = Field(
        default=".", description="Folder that relative paths of the spec start from, relative to the run folder."
    )
    identity: str | None = Field(
        default=None, description="Digest of what was asked for and measured; null in runs of earlier versions."
    )
    files: dict[str, str] = Field(
        default_factory=dict, description="sha256 of every table by file name; empty in runs of earlier versions."
    )

    @property
    def version(self) -> str:
        """Version of maskbench that made the run; empty if it was not recorded."""
        return str(self.environment.get("maskbench") or "")

    @property
    def primary(self) -> Features:
        """The extractor whose distance is the score."""
        return self.features[0]

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        return self.model_dump(mode="json", by_alias=True)


SEAL = "sha256"
"""Key of a sealed JSON file: sha256 of the rest of its content, in canonical JSON."""


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that carries its own hash."""
    write_json(path, {**content, SEAL: _seal(content)})


def read_sealed(path: Path) -> Any:
    """The content of a JSON file; if it carries its own hash, the hash is checked and left out.

    Raises:
        FileNotFoundError: There is no such file.
        InputError: The file is not JSON, or its content does not match its hash.
    """
    try:
        content = json.loads(read_bytes(path).decode("utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # fails on half a surrogate pair, which cannot be written
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); {REPAIR}") from None
    if isinstance(content, dict) and SEAL in content and content.pop(SEAL) != _seal(content):
        raise InputError(f"{path}: edited or damaged: its content does not match its own hash; {REPAIR}")
    return content


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class OtherSchemaError(InputError):
    """A run with another schema version."""


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the run.json of a run folder, with its own hash."""
    write_sealed(folder / "run.json", record.to_json())


def read_record(path: Path) -> RunRecord:
    """Read a run.json.

    Raises:
        FileNotFoundError: There is no such file.
        InputError: The file is not JSON, or a key has a wrong value; OtherSchemaError for another schema.
    """
    content = read_sealed(path)
    schema = content.get("schema") if isinstance(content, dict) else type(content).__name__
    if schema != SCHEMA_VERSION or isinstance(schema, bool):
        raise OtherSchemaError(
            f"{path}: schema is {clean(repr(schema))[:80]}, this version reads {SCHEMA_VERSION}; run again to rewrite it"
            " (a baseline: `maskbench baseline save` again)"
        )
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {'; '.join(_mistakes(error))}; run it again, or save the baseline again") from None


def _mistakes(error: ValidationError) -> Iterator[str]:
    """The first mistake of a record by its key, and the number of further mistakes."""
    first, *rest = error.errors()
    wrong = "missing" if first["type"] == "missing" else clean(first["msg"])
    yield f"{clean('.'.join(map(str, first['loc'])))}: {wrong}"
    if rest:
        yield f"{len(rest)} more"
