"""run.json as typed records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.results.folder import RunFolder
from maskgit.errors import InputError

STAGES = ("encode", "step", "decode")


@dataclass(frozen=True)
class DataSet:
    """The test set of a run; hole_ratio_mean is in [0, 1]; train_overlap is None when no training set was given."""

    name: str
    n_images: int
    hole_ratio_mean: float | None = None
    image_size: int | tuple[int, int] | None = None
    sources: dict[str, str] = field(default_factory=dict)
    duplicates_in_test: int = 0
    train_overlap: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """One model of the run; tokens: of one image, known ones and those of the hole together."""

    name: str
    kind: str = "native"
    fingerprint: str = ""
    parameters: int | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Features:
    """One feature extractor; label is "FID" or "FD"."""

    name: str
    label: str
    dim: int
    sha256: str | None = None
    verified: bool = True


@dataclass(frozen=True)
class UnitCost:
    """Measured cost of one stage, in milliseconds an image (step: of one step), with its quartiles."""

    stage: str
    checkpoint: str
    median_ms_per_image: float
    p25: float
    p75: float
    repeats: int


@dataclass(frozen=True)
class SpeedCheck:
    """A cell measured whole beside its derived speed; relative_error = (derived − measured) / measured."""

    cell_id: str
    derived_images_per_s: float
    measured_images_per_s: float
    relative_error: float


@dataclass(frozen=True)
class Throughput:
    """Unit costs, the cells measured whole, and peak memory in MB."""

    unit_costs: tuple[UnitCost, ...]
    checks: tuple[SpeedCheck, ...] = ()
    tile: int | None = None
    peak_memory_mb: float | None = None


@dataclass(frozen=True)
class Skipped:
    """A checkpoint that `run --keep-going` went on without, and why."""

    checkpoint: str
    reason: str


@dataclass(frozen=True)
class RunRecord:
    """The content of run.json."""

    name: str
    complete: bool
    data: DataSet
    checkpoints: tuple[Checkpoint, ...]
    features: tuple[Features, ...]
    warnings: tuple[str, ...]
    version: str = ""
    created: str | None = None
    finished: str | None = None
    spec: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    throughput: Throughput | None = None
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()


def read_record(run: RunFolder) -> RunRecord:
    """The record of a run folder, typed.

    Raises:
        InputError: A key of run.json has a wrong value.
    """
    raw = run.record
    raw = {**raw, "version": raw.get("version") or raw.get("maskbench_version") or raw.get("maskbench") or ""}
    if isinstance(raw.get("throughput"), dict):
        raw["throughput"] = _with_unit_costs(raw["throughput"])
    try:
        return TypeAdapter(RunRecord).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{run.path / 'run.json'}: {key}: {first['msg']}; run again to rewrite it") from None


def _with_unit_costs(throughput: dict[str, Any]) -> dict[str, Any] | None:
    """encode_ms, step_ms, decode_ms (one record, or one a checkpoint) gathered in one list; None when not measured."""
    costs: list[Any] = []
    for stage in STAGES:
        entry = throughput.get(f"{stage}_ms") or []
        for cost in entry if isinstance(entry, list) else [entry]:
            costs.append({**cost, "stage": stage} if isinstance(cost, dict) else cost)
    return {**throughput, "unit_costs": costs} if costs else None
