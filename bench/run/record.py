"""The record of a finished run: the content of run.json."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench.results.record import (
    Checkpoint,
    DataSet,
    Features,
    MeasuredCost,
    MetricVersions,
    NumericsRecord,
    RunRecord,
    Skipped,
    SpeedCheck,
    Throughput,
)
from bench.run import environment
from bench.run.caveats import summarise
from bench.run.throughput import Check, peak_memory_mb
from bench.store.keys import METRIC_VERSION, QUANTISATION, Numerics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.features.sources import Source
    from bench.grid.spec import Spec
    from bench.run.blocks import Block
    from bench.run.inputs import Inputs
    from bench.run.job import Job
    from bench.run.tables import Result


@dataclass(frozen=True)
class Circumstances:
    """When, where and how a run was made.

    Attributes:
        created: Seconds since the epoch.
        seconds: Seconds of every stage, and "total".
        numerics: Everything that may change the last bit of a network's output.
        device: Device of the networks.
        base: Folder that relative paths of the spec start from, relative to the run folder.
    """

    created: float
    seconds: dict[str, float]
    numerics: Numerics
    device: str
    base: str


def run_record(
    spec: Spec, inputs: Inputs, jobs: list[Job], sources: Sequence[Source], result: Result, made: Circumstances
) -> RunRecord:
    """The content of run.json; `spec` has its paths as written."""
    return RunRecord(
        name=spec.run.name,
        created=_timestamp(made.created),
        finished=_timestamp(made.created + made.seconds["total"]),
        complete=not result.skipped,
        skipped=tuple(Skipped(checkpoint=name, reason=reason) for name, reason in result.skipped.items()),
        spec=spec.model_dump(mode="json"),
        environment=environment.describe(made.device, made.numerics.threads),
        numerics=NumericsRecord(**asdict(made.numerics)),
        data=_data(inputs, result),
        checkpoints=tuple(_checkpoint(job, inputs) for job in jobs),
        features=tuple(_features(source) for source in sources),
        metrics=MetricVersions(version=METRIC_VERSION, quantisation=QUANTISATION, reference="paired"),
        throughput=_throughput(result, made),
        counts=_counts(inputs, jobs, result),
        seconds={stage: round(value, 3) for stage, value in made.seconds.items()},
        warnings=tuple(result.warnings),
        base=made.base,
    )


def _data(inputs: Inputs, result: Result) -> DataSet:
    test_set = inputs.test_set
    return DataSet(
        name=test_set.name,
        n_images=len(test_set.image_ids),
        hole_ratio_mean=float(test_set.hole.mean()),
        image_size=int(test_set.hole.shape[-1]),
        sources=test_set.sources,
        sha256=_digest(result.blocks),
        **asdict(summarise(result.audit)),
    )


def _checkpoint(job: Job, inputs: Inputs) -> Checkpoint:
    return Checkpoint(
        name=job.name,
        kind=inputs.checkpoints[job.name].kind,
        fingerprint=job.model.fingerprint,
        parameters=getattr(job.model, "num_parameters", None),
        tokens=(inputs.test_set.hole.shape[-1] // job.model.cell) ** 2,
        codes=job.model.num_codes,
        reading=getattr(job.model, "reading", ()),
    )


def _features(source: Source) -> Features:
    return Features(
        name=source.name,
        label=source.label,
        dim=source.dim,
        sha256=source.sha256,
        verified=source.verified,
        fingerprint=source.fingerprint,
    )


def _throughput(result: Result, made: Circumstances) -> Throughput:
    def costs(part: str) -> tuple[MeasuredCost, ...]:
        return tuple(
            MeasuredCost(checkpoint=name, **asdict(getattr(units, part))) for name, units in result.speeds.units.items()
        )

    return Throughput(
        tile=made.numerics.tile,
        reference_ms=result.speeds.reference_ms,
        encode_ms=costs("encode"),
        step_ms=costs("step"),
        decode_ms=costs("decode"),
        checks=tuple(_speed_check(check) for check in result.speeds.checks),
        peak_memory_mb=peak_memory_mb(made.device),
    )


def _speed_check(check: Check) -> SpeedCheck:
    return SpeedCheck(
        cell_id=check.cell.cell_id,
        derived_images_per_s=check.derived_images_per_s,
        measured_images_per_s=check.measured_images_per_s,
        relative_error=check.relative_error,
    )


def _counts(inputs: Inputs, jobs: list[Job], result: Result) -> dict[str, int]:
    plan, n_images = inputs.plan, len(inputs.test_set.image_ids)
    return {
        "cells": len(plan.cells),
        "trajectories": len(plan.trajectories),
        "transformer_passes": sum(job.plan.passes for job in jobs) * n_images,
        "transformer_passes_run": sum(counts.passes for counts in result.counts),
        "transformer_passes_unshared": plan.passes_unshared * n_images,
        "canvases": len(plan.cells) * n_images,
        "unique_canvases": sum(counts.unique_canvases for counts in result.counts),
    }


def _digest(blocks: Sequence[Block]) -> str:
    """sha256 of a whole test set: masked images with their masks, and originals, in order."""
    masked = [digest for block in blocks for digest in block.pixels]
    originals = [digest for block in blocks for digest in block.identity.truth]
    return hashlib.sha256(" ".join(masked + originals).encode()).hexdigest()


def _timestamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
