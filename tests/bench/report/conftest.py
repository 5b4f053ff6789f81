"""A synthetic run folder in the schema of a real one, with plausible scores and speeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.results.schema import IMAGES, METRICS, REFERENCES, SCHEMA_VERSION, STEPS, TEST_SET, cells_schema

ENCODE_MS, STEP_MS, DECODE_MS = 2.1, 14.6, 6.8
QUALITY = {"cosine": 1.0, "linear": 1.06, "square": 1.03}
SCHEDULES = {
    "cosine": lambda r: np.cos(r * np.pi / 2),
    "linear": lambda r: 1 - r,
    "square": lambda r: 1 - r**2,
}

MakeRun = Callable[..., Path]


def _score(gamma: str, total: int, spot: int, temperature: float, seed: int) -> float:
    """A score that falls with steps and rises a little at the end; equal for every gamma after one step, as in real runs."""
    if spot == 1:
        return 41.7312 + 0.11 * seed
    late = 1.6 * max(0.0, spot / total - 0.8)
    return (
        18.2 * QUALITY.get(gamma, 1.1) + 26.0 * spot**-1.3 + late + 0.07 * total + abs(temperature - 4.5) + 0.11 * seed
    )


def make_run(
    folder: Path,
    *,
    gammas: Sequence[str] = ("cosine", "linear", "square"),
    total_iters: Sequence[int] = (4, 8),
    checkpoints: Sequence[str] = ("catfaces",),
    temperatures: Sequence[float] = (4.5,),
    seeds: Sequence[int] = (0,),
    key: str = "fd",
    features: str = "efficientnet-lite0",
    dim: int = 256,
    verified: bool = True,
    complete: bool = True,
    name: str = "default",
    n_images: int = 256,
    **record: Any,
) -> Path:
    """Write cells, images, steps and metrics parquet and run.json; record: keys of run.json to replace."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    holes = rng.uniform(0.10, 0.30, n_images)
    cells, images, steps, metrics = [], [], [], []
    combinations = product(checkpoints, temperatures, seeds, gammas, total_iters)
    for number, (checkpoint, temperature, seed, gamma, total) in enumerate(combinations):
        trajectory = f"t{number:03d}"
        curve = SCHEDULES.get(gamma, SCHEDULES["linear"])(np.arange(1, total + 1) / total)
        for i, ratio in enumerate(holes[:32]):
            for step in range(1, total + 1):
                confidence = 0.18 + 0.5 * step / total
                steps.append((trajectory, i, step, int(curve[step - 1] * ratio * 256), confidence))
        for spot in range(1, total + 1):
            cell = f"{trajectory}-s{spot:02d}"
            score = _score(gamma, total, spot, temperature, seed) + 0.5 * checkpoints.index(checkpoint)
            ms = ENCODE_MS + spot * STEP_MS + DECODE_MS
            psnr = 25.0 - score / 5 - 20 * (holes - 0.2) + rng.normal(0, 0.8, n_images)
            mae, accuracy = 255 * 10 ** (-psnr / 20) * 0.7, np.clip(0.4 - score / 200, 0, 1) + 0 * holes
            influence = 4 * score * rng.standard_normal(n_images)
            images += [
                (
                    cell, i, holes[i], holes[i] * 1.15, psnr[i], mae[i], 0.7, psnr[i] + 3, 0.8, accuracy[i], 5.1,
                    influence[i],
                )
                for i in range(n_images)
            ]  # fmt: skip
            se = float(np.linalg.norm(influence)) / n_images
            metrics += [
                (cell, features, verified, "frechet_distance", "all", score, se, n_images),
                (cell, "other", True, "frechet_distance", "all", 2 * score, 2 * se, n_images),
            ]
            cells.append(
                (
                    cell, trajectory, checkpoint, gamma, total, spot, temperature, 1.0, "probability", "gamma",
                    "categorical", False, "paste", seed, "", n_images, features, verified, score, se,
                    0.01 * score, 0.01 * se, psnr.mean(), mae.mean(), 0.7, psnr.mean() + 3, 0.8, accuracy.mean(),
                    5.1, 1000 / ms, ms, "derived", spot, score, se, key,
                )
            )  # fmt: skip
    _write(folder / "cells.parquet", cells, cells_schema(key.upper()))
    _write(folder / "images.parquet", images, IMAGES)
    _write(folder / "steps.parquet", steps, STEPS)
    _write(folder / "metrics.parquet", metrics, METRICS)
    images_of_test = [(i, 0, holes[i], 0 if i == 1 else i, None, "a", "b", "c") for i in range(n_images)]
    _write(folder / "test_set.parquet", images_of_test, TEST_SET)
    references = [
        (name, checkpoint, "paste", features, verified, "frechet_distance", subset, score, 0.2, n_images)
        for name, checkpoint, score in (
            ("tokenizer_floor", checkpoints[0], 14.2137),
            ("one_shot", checkpoints[0], 41.7312),
            ("masked_input", None, 151.3071),
        )
        for subset in ("all", "clean")
    ]
    _write(folder / "references.parquet", references, REFERENCES)
    by_id = {row[0]: row for row in cells}
    whole = [cells[0][0], cells[len(cells) // 2][0], cells[-1][0]]
    checks = [
        {
            "cell_id": i,
            "derived_images_per_s": by_id[i][29],
            "measured_images_per_s": by_id[i][29] / (1 + e),
            "relative_error": e,
        }
        for i, e in zip(whole, (-0.021, 0.034, 0.008), strict=True)
    ]
    passes = n_images * (number + 1) // len(total_iters) * sum(total_iters)
    run = {
        "schema": SCHEMA_VERSION, "name": name, "created": "2026-01-05T10:00:00Z",
        "finished": "2026-01-05T10:01:34Z" if complete else None,
        "complete": complete, "spec": {"run": {"name": name}},
        "environment": {"maskbench": "0.1.0", "python": "3.12.4", "torch": "2.15.0", "torchvision": "0.29.0",
                        "platform": "Linux x86_64", "cpu": "Example CPU 2.5 GHz", "threads": 2, "device": "cpu"},
        "data": {"name": "catfaces", "n_images": n_images, "hole_ratio_mean": float(holes.mean()), "image_size": 64,
                 "sources": {"catfaces": "built in"}, "duplicates_in_test": 0, "train_overlap": None},
        "checkpoints": [
            {"name": c, "kind": "native", "fingerprint": "0" * 64, "parameters": 3_400_000, "tokens": 256}
            for c in checkpoints
        ],
        "features": [{"name": features, "label": key.upper(), "dim": dim, "sha256": "1" * 64, "verified": verified,
                      "fingerprint": "2" * 64}],
        "metrics": {"version": 1, "quantisation": "uint8-round-half-up"},
        "throughput": {
            "tile": 16, "peak_memory_mb": 612.0, "checks": checks,
            "encode_ms": _cost(checkpoints, ENCODE_MS), "step_ms": _cost(checkpoints, STEP_MS),
            "decode_ms": _cost(checkpoints, DECODE_MS),
        },
        "counts": {"cells": len(cells), "trajectories": number + 1, "transformer_passes": passes, "canvases": 9216,
                   "unique_canvases": 7936},
        "seconds": {"decode": 61.2, "render": 9.8, "embed": 6.1, "score": 0.4, "throughput": 8.3, "total": 94.1},
        "warnings": [f"{n_images} images: the {key.upper()} is biased upwards; compare it only at the same number."],
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps({**run, **record}), encoding="utf-8")
    return folder


def _cost(checkpoints: Sequence[str], median: float) -> Any:
    return [
        {
            "checkpoint": c,
            "median_ms_per_image": median,
            "p25": 0.97 * median,
            "p75": 1.05 * median,
            "repeats": 7,
        }
        for c in checkpoints
    ]


def _write(path: Path, rows: list[tuple[Any, ...]], schema: pa.Schema) -> None:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


@pytest.fixture(name="make_run")
def make_run_fixture(tmp_path: Path) -> MakeRun:
    """Make a function that writes a synthetic run folder and returns its path."""
    return lambda folder="run", **options: make_run(tmp_path / folder, **options)
