"""The other sections of `grid.toml`. Every default is written here and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from bench.grid.axes import Axes
from bench.grid.types import (
    AboveZero,
    Flag,
    Integer,
    ListOf,
    Number,
    Positive,
    Section,
    ZeroOrMore,
    as_list,
    without_repeats,
)
from bench.metrics.registry import extra_names
from maskgit.checkpoints.python_part import is_python, target_and_name
from maskgit.config import Precision


def _folder_name(name: str) -> str:
    """Check the name of a run: it is the name of its folder in results/, and must not lead out of it."""
    if not re.fullmatch(r"[\w.-]+", name) or not name.strip("."):
        raise ValueError("a name consists of letters, digits, '_', '-' and '.', and not only of dots")
    return name


def _known_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise ValueError(f"{name} is not supported; use auto, cpu, cuda or cuda:1 (the number of a GPU)")
    return name


SEPARABLE = (
    "P-IDS and U-IDS are not measured: a linear classifier separates any two sets of N images while 2 N <= D + 1, and random "
    "ones half of the time up to N = D + 1, so below that they say nothing about the images (D is 2,048 for FID's features); "
    "use mind or prdc"
)
"""Source: Cover 1965, "Geometrical and Statistical Properties of Systems of Linear Inequalities"."""
UNNAMED = "run"
"""Name of a run that has none and is not read from a file with a name."""


class RunSection(Section):
    """Name of the run, and seeds of its noise."""

    name: Annotated[str, AfterValidator(_folder_name)] = Field(
        default_factory=lambda: UNNAMED,
        description="Name of the run in reports, and of its folder in results/ unless --output names one; that of the file"
        " unless given.",
        examples=["temperatures"],
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


class MetricsSection(Section):
    """Feature extractors (the first is the primary one) and the location of their weights."""

    features: ListOf[str] = Field(
        default=("inception",),
        description="Feature extractors; the distance of the first is the score. Also your own (docs/own-code.md).",
        examples=[["inception", "efficientnet-lite0"]],
    )
    extra: Annotated[tuple[str, ...], BeforeValidator(as_list)] = Field(
        default=(),
        description=f"Further metrics: {', '.join(extra_names())} (docs/metrics.md), or your own (docs/own-code.md).",
        examples=[["mind", "prdc"]],
    )
    weights: Path | None = Field(
        default=None,
        description="File with the weights of inception; torch hub's cache or a download unless given.",
        examples=["pt_inception-2015-12-05-6726825d.pth"],
    )
    allow_unverified_weights: Flag = Field(
        default=False, description="Accept weights with an unknown sha256; their distance is then not called FID."
    )

    _distinct = field_validator("features", "extra")(without_repeats)

    @field_validator("extra")
    @classmethod
    def _known(cls, extra: tuple[str, ...]) -> tuple[str, ...]:
        for name in extra:
            if is_python(name):
                target_and_name(name, "metrics.extra")
            elif name.lower().replace("-", "") in ("pids", "uids"):
                raise ValueError(SEPARABLE)
            elif name not in extra_names():
                known = ", ".join(extra_names())
                raise ValueError(f"unknown metric {name!r}; known: {known}, or python:./file.py:function")
        return extra


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
    precision: Precision = Field(
        default="float32",
        description="Precision of the networks. tf32: of matrix products on a GPU. bf16: of the transformer and the decoder,"
        " on CPU and GPU; tokens of the masked images, the vocabulary product and features stay in float32. Both are less"
        " exact than float32; compare scores of one precision only.",
    )
    threads: Positive | Literal["auto"] = Field(
        default="auto", description="CPU threads of the networks.", examples=[4]
    )
    tile: Positive = Field(
        default=16,
        description="Images per network call; smaller if so many do not fit into memory. Scores with another tile size agree"
        " only within float32 rounding.",
    )
    batch_size: Positive | Literal["auto"] = Field(
        default="auto", description="Tiles in a block, the unit of work and of resumption.", examples=[8]
    )
    executor: Literal["local", "ray", "shared"] = Field(
        default="local",
        description="Who computes the blocks: this process; a pool of Ray workers; or all processes that run the same "
        "command on the same run folder.",
    )
    workers: Positive | Literal["auto"] = Field(
        default="auto",
        description="Workers of the executor ray; by default as many as there is room for.",
        examples=[8],
    )
    claim_timeout_s: AboveZero = Field(
        default=120.0,
        description="Seconds without a sign of life after which the executor shared takes over another process's block.",
    )
    store: Path | None = Field(
        default=None,
        description="Folder of stored results for reuse; unless given, a folder in the run folder.",
        examples=["store"],
    )

    @property
    def block(self) -> int:
        """Images in a block: the unit of work, of commit and of resumption."""
        return self.tile * (4 if self.batch_size == "auto" else self.batch_size)


Cells = Annotated[
    tuple[Annotated[Axes | str, Field(union_mode="left_to_right")], ...],
    BeforeValidator(as_list),
    Field(min_length=1),
]
"""Choice of cells: "all", cell ids, and tables of settings."""

EXCESS_TOLERANCE, SCORE_TOLERANCE = 0.1, 0.01
"""Rise that passes by default: a share of the excess over the rFID floor, or of the score where no floor is known."""
EXCESS_SUSPICIOUS, SCORE_SUSPICIOUS = 0.5, 0.2
"""Fall that is flagged by default, as shares of the same two."""
TOLERANCES = ("tolerance", "tolerance_excess", "tolerance_absolute")
SUSPICIONS = ("suspicious", "suspicious_excess")


class Tier(Section):
    """Cells that matter more or less than others, with limits of their own: one table of `[[gate.tiers]]`.

    A cell belongs to the first table that names it, and is critical if none does. A regression fails the gate in a critical
    cell, warns in a supporting one, and is only noted in an advisory one. Limits that a tier sets replace those of [gate].
    """

    tier: Literal["critical", "supporting", "advisory"] = Field(description="Weight of a regression in these cells.")
    cells: Cells = Field(default=("all",), description="The cells: all, cell ids, or tables of settings.")
    tolerance: ZeroOrMore | None = Field(default=None, description="Rise that passes, as a share of the score.")
    tolerance_excess: ZeroOrMore | None = Field(
        default=None, description="Rise that passes, as a share of the excess over the rFID floor."
    )
    tolerance_absolute: ZeroOrMore | None = Field(default=None, description="Rise that passes, in units of the score.")
    max_score: AboveZero | None = Field(default=None, description="Highest score that passes.")


class GateSection(Section):
    """Rules of `maskbench gate`: when a candidate is worse. The *baseline's* section applies, not the candidate's.

    A cell fails if its score is worse at significance level `alpha` (over all gated cells of its tier together) and by more
    than the tolerance; or if its score is above `max_score`; or if its speed, relative to the reference workload of its run,
    is below `min_throughput_ratio` times the baseline's. It passes if it is shown to be worse by less than the tolerance
    (`tolerance_test`), and is inconclusive otherwise. The tolerance is `tolerance` (a share of the baseline's score),
    `tolerance_excess` (a share of the excess: the score minus the rFID floor, which is what decoding can win) or
    `tolerance_absolute`; the smallest if several are given, and 10 % of the excess if none is (1 % of the score where the
    floor is not known on both sides). A fall by more than `suspicious` of the score or `suspicious_excess` of the excess is
    flagged; by default half of the excess (20 % of the score).
    `permutations` are random permutations per cell; "auto" chooses as many as the number of cells requires. `cells` is
    "all", or a list of cell ids of the baseline and tables of settings, such as {gamma = "cosine", total_iter = 8}.
    `tiers` are tables such as {tier = "supporting", cells = [{ sweet_spot = 4 }]}.
    """

    alpha: Annotated[Number, Field(gt=0, lt=0.5)] = Field(
        default=0.05, description="Probability of a false alarm, over all gated cells of a tier together."
    )
    tolerance: ZeroOrMore | None = Field(
        default=None, description="Rise that passes, as a share of the baseline's score.", examples=[0.01]
    )
    tolerance_excess: ZeroOrMore | None = Field(
        default=None,
        description="Rise that passes, as a share of the baseline's excess over its rFID floor.",
        examples=[0.1],
    )
    tolerance_absolute: ZeroOrMore | None = Field(
        default=None, description="Rise that passes, in units of the score.", examples=[0.5]
    )
    tolerance_test: Literal["noninferiority", "estimate"] = Field(
        default="noninferiority",
        description="What has to be within tolerance: the upper confidence limit of the rise, or the estimated rise.",
    )
    max_score: AboveZero | None = Field(default=None, description="Highest score that passes.", examples=[12.5])
    min_throughput_ratio: AboveZero | None = Field(
        default=None, description="Lowest speed that passes, as a share of the baseline's.", examples=[0.9]
    )
    suspicious: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Fall that is flagged as too good, as a share of the baseline's score.",
        examples=[0.2],
    )
    suspicious_excess: AboveZero | None = Field(
        default=None, description="Fall that is flagged as too good, as a share of the excess.", examples=[0.5]
    )
    inconclusive: Literal["pass", "fail", "exit"] = Field(
        default="pass",
        description="Result of a cell that is neither worse nor shown to be within tolerance; exit: exit code 5.",
    )
    tiers: tuple[Tier, ...] = Field(
        default=(),
        description="Cells that matter more or less than others, with limits of their own.",
        examples=[[{"tier": "supporting", "cells": [{"sweet_spot": 4}]}]],
    )
    permutations: Positive | Literal["auto"] = Field(
        default="auto",
        description="Random permutations per cell; by default as many as the cells need.",
        examples=[9999],
    )
    cells: Cells = Field(
        default=("all",),
        description="Cells to gate: all of the baseline's, cell ids, or tables of settings.",
        examples=[[{"gamma": "cosine", "total_iter": 8}]],
    )
