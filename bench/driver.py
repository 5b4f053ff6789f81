"""Drives a run: every stage in its order, for each checkpoint and block, then the tables."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from bench import blocks as blocking
from bench import environment, tables, throughput
from bench.blocks import Block
from bench.canvases import unique_canvases
from bench.caveats import Cleanliness, caveats, inspect
from bench.decode import decode_block
from bench.embed import embed_block, reference_features
from bench.features.registry import Extractor
from bench.features.registry import load as load_extractor
from bench.features.sources import Source, resolve_all
from bench.inputs import Inputs, open_inputs
from bench.job import Job
from bench.keys import Numerics
from bench.measure import yardstick
from bench.plan import Flops, flops
from bench.progress import Reporter
from bench.references import floor_canvases, one_shot_cells
from bench.score import score_cells, score_rows
from bench.spec import Spec, with_paths_from
from bench.store import Store, prepare_folder, write_json
from bench.truth import truth_nll_nats
from maskgit.checkpoints import load_model
from maskgit.locate import Checkpoint


@dataclass
class Clock:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of a `with` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def run(written: Spec, output: Path, base: Path | None = None, quiet: bool = False) -> Path:
    """Run a benchmark and write its tables.

    Args:
        written: What to do.
        output: The run folder; what an earlier run left in its store is reused.
        base: Folder that relative paths of the spec start from; the current one by default.
        quiet: Show no progress.

    Returns:
        The run folder.

    Raises:
        InputError: Bad input, found before anything is decoded or written.
    """
    created, clock = time.time(), Clock()
    with clock.measure("total"):
        base = base or Path.cwd()
        spec = with_paths_from(written, base)
        device = environment.resolve_device(spec.execution.device)
        inputs = open_inputs(spec, base)
        cleanliness = inspect(inputs.test_set, spec.data.train)
        metrics = spec.metrics
        sources = resolve_all(metrics.features, metrics.weights, metrics.allow_unverified_weights, download=True)
        numerics = environment.configure(spec.execution, device)
        jobs = [_open_job(name, c, inputs, numerics, spec, device) for name, c in inputs.checkpoints.items()]
        prepare_folder(output)
        store = Store(spec.execution.store or output / "store")
        prepare_folder(store.root)
        result = _execute(spec, inputs, jobs, sources, cleanliness, store, clock, quiet)
    record = tables.run_record(written, inputs, jobs, sources, result, numerics, clock.seconds, created, device)
    tables.write(output, inputs, jobs, sources[0], result, store)
    write_json(output / "run.json", {**record, "base": os.path.relpath(base, output)})
    return output


def _open_job(name: str, checkpoint: Checkpoint, inputs: Inputs, numerics: Numerics, spec: Spec, device: str) -> Job:
    model = load_model(checkpoint, device, tf32=spec.execution.precision == "tf32")
    return Job(name, model, inputs.plan.of(name), numerics, spec.execution.tile, device)


def _execute(
    spec: Spec,
    inputs: Inputs,
    jobs: list[Job],
    sources: Sequence[Source],
    cleanliness: Cleanliness,
    store: Store,
    clock: Clock,
    quiet: bool,
) -> tables.Result:
    """All the work of a run; whatever is finished is in the store, whenever it is stopped."""
    extractors = [load_extractor(source, jobs[0].device) for source in sources]
    blocks = blocking.split(inputs.test_set, spec.execution.block)
    costs = {job.name: _work_units(inputs.checkpoints[job.name]) for job in jobs}
    n_images = len(inputs.test_set.image_ids)
    total = n_images * sum(costs[job.name].total(job.plan) for job in jobs)
    units, checks = {}, []
    n_unique = 0
    with Reporter(total, quiet) as progress, torch.inference_mode():
        progress.describe("reference")
        with clock.measure("embed"):
            truth = {e.name: _truth_features(e, blocks, jobs[0], store) for e in extractors}
        for job in jobs:
            for number, block in enumerate(blocks, 1):
                label = f"{job.name}, block {number}/{len(blocks)}"
                n_unique += _run_block(job, block, extractors, store, clock, progress, costs[job.name], label)
        progress.describe("throughput")
        with clock.measure("throughput"):
            for job in jobs:
                settings = spec.throughput
                units[job.name] = throughput.measure_units(job, blocks[0], settings.warm_up, settings.repeats)
            reference_ms = throughput.reference_ms(jobs[0].device)
            checks = throughput.measure_cells(
                jobs[0], blocks[0], units[jobs[0].name], spec.throughput.checks, spec.throughput.repeats
            )
        progress.describe("scores")
        with clock.measure("score"):
            against = yardstick(truth, blocking.copy_of(blocks), clean=None)
            scores = [score for job in jobs for score in score_cells(job, blocks, extractors, against, store)]
            rows = list(score_rows(jobs, blocks, extractors, against, store))
    warnings = caveats(n_images, cleanliness, sources, limited=spec.data.limit is not None)
    return tables.Result(blocks, scores, rows, units, checks, reference_ms, cleanliness, warnings, n_unique)


def _run_block(
    job: Job,
    block: Block,
    extractors: list[Extractor],
    store: Store,
    clock: Clock,
    progress: Reporter,
    cost: Flops,
    label: str,
) -> int:
    """Decode, render and embed one block; returns its number of distinct canvases."""
    masked = job.masked(block)
    progress.describe(f"decode {label}")
    progress.advance(cost.encode * len(block.image_ids))
    with clock.measure("decode"):
        one_shot = one_shot_cells(job.plan)
        wanted = {**dict.fromkeys((cell.trajectory for cell in one_shot), 1), **job.plan.trajectories}
        records = decode_block(masked, job.key(block), wanted, store, lambda steps: progress.advance(steps * cost.step))
        truth_nll_nats(job, block, store)
    progress.describe(f"render {label}")
    unique = unique_canvases((*job.plan.cells, *one_shot), records, block.image_ids)
    for floor in floor_canvases(job, block, store).values():
        unique.update(floor)
    with clock.measure("render and embed"):
        embed_block(
            job.model,
            extractors,
            unique,
            block,
            job.key(block),
            store,
            job.tile,
            job.device,
            lambda images: progress.advance(images * cost.render),
        )
    return len(unique)


def _truth_features(extractor: Extractor, blocks: list[Block], job: Job, store: Store) -> np.ndarray:
    parts = [reference_features(extractor, b, job.numerics, store, job.tile, job.device) for b in blocks]
    return np.concatenate(parts)


def _work_units(checkpoint: Checkpoint) -> Flops:
    """Relative cost of a model's parts for the progress bar; unknown sizes count as equal."""
    if checkpoint.tokenizer is None or checkpoint.transformer is None:
        return Flops(1, 1, 1)
    cost = flops(checkpoint.tokenizer, checkpoint.transformer)
    return Flops(cost.encode, cost.step, 2 * cost.render)  # small convolutions run slower than matrix products
