"""run.json as typed records, and the tables of a run folder, checked while they are read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from bench.errors import IncompleteRunError
from bench.report.text import clean
from maskgit.errors import InputError

SCHEMA = 1
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


@dataclass(frozen=True)
class Checkpoint:
    """One model of the run."""

    name: str
    kind: str = "native"
    fingerprint: str = ""
    parameters: int | None = None


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
class RunRecord:
    """run.json, schema version 1."""

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


def read_record(run: Path) -> RunRecord:
    """Read run.json.

    Raises:
        IncompleteRunError: Stored work, but no finished tables.
        InputError: No run folder, no run.json, not JSON, another schema version, or a key with a wrong value.
    """
    shown = clean(run)
    if not run.is_dir():
        raise InputError(f"{shown}: no such run folder; `maskbench run GRID.toml --output {shown}` makes one")
    path = run / "run.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (run / "store").is_dir():
            raise IncompleteRunError(f"{shown}: not finished; the same `maskbench run` command goes on") from None
        raise InputError(
            f"{shown}: not a run folder (run.json is missing); name the folder `maskbench run` wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{clean(path)}: cannot be read as JSON ({clean(error)}); run again into this folder"
        ) from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        found = raw.get("schema") if isinstance(raw, dict) else type(raw).__name__
        raise InputError(
            f"{clean(path)}: schema is {clean(repr(found))}, this version reads {SCHEMA}; run again to rewrite it"
        )
    raw = {**raw, "version": raw.get("version") or raw.get("maskbench_version") or raw.get("maskbench") or ""}
    if isinstance(raw.get("throughput"), dict):
        raw["throughput"] = _with_unit_costs(raw["throughput"])
    try:
        return TypeAdapter(RunRecord).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{clean(path)}: {clean(key)}: {clean(first['msg'])}; run again to rewrite it") from None


def _with_unit_costs(throughput: dict[str, Any]) -> dict[str, Any] | None:
    """encode_ms, step_ms, decode_ms (one record, or one a checkpoint) gathered in one list; None when not measured."""
    costs: list[Any] = []
    for stage in STAGES:
        entry = throughput.get(f"{stage}_ms") or []
        for cost in entry if isinstance(entry, list) else [entry]:
            costs.append({**cost, "stage": stage} if isinstance(cost, dict) else cost)
    return {**throughput, "unit_costs": costs} if costs else None


def read_table(run: Path, name: str, columns: tuple[str, ...], *, complete: bool) -> pa.Table:
    """Read one table of the run folder and check that it has the columns.

    Raises:
        InputError: the file is missing, is not Parquet, or lacks a column.
    """
    path = run / f"{name}.parquet"
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        why = "the run folder is damaged" if complete else "the run has not got so far"
        raise InputError(
            f"{clean(path)}: missing, {why}; the same `maskbench run` command goes on from there"
        ) from None
    except (OSError, pa.ArrowException):
        raise InputError(
            f"{clean(path)}: cannot be read as Parquet; the same `maskbench run` command writes it anew"
        ) from None
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise InputError(
            f"{clean(path)}: lacks the column {', '.join(missing)}; run again with this version of maskbench"
        )
    return table
