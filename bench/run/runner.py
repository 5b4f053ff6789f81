"""The run: every stage in order, for each checkpoint and block, then the tables."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.audit.copies import Audit, audit
from bench.executors.claims import discard
from bench.executors.contract import Placement
from bench.executors.registry import EXECUTORS
from bench.features.registry import Extractor
from bench.features.registry import load as load_extractor
from bench.features.sources import Source, resolve_all
from bench.grid.spec import Spec, with_paths_from
from bench.metrics.measure import FRECHET, ReferenceSet, reference_set
from bench.metrics.naming import distance_column
from bench.metrics.own import own_metrics
from bench.progress.reporter import Best, Place, Reporter
from bench.results.identity import read_identity
from bench.results.record import write_record
from bench.run import blocks as blocking
from bench.run import environment, tables, throughput
from bench.run.block_work import BlockWork
from bench.run.caveats import caveats, summarise
from bench.run.clock import Clock
from bench.run.failure_policy import FailurePolicy, named_if_out_of_memory
from bench.run.identify import identify
from bench.run.inpaint import RunContext, RunCounts, inpaint
from bench.run.inputs import Inputs, open_inputs, require_size
from bench.run.job import Job
from bench.run.output import Claim, OutputFolder
from bench.run.reading import evidence_of, model_caveats
from bench.run.record import Circumstances, run_record
from bench.run.references import missing_rows
from bench.run.runtime import Runtime
from bench.run.score import CellScore, score_cells, score_rows
from bench.run.speeds import Speeds, recorded_speeds
from bench.run.tile_memory import SmallerTile, caveat, smaller_tile, starting_tile, with_tile
from bench.run.work import work_of
from bench.run.worker import WorkerSetup, require_recognisable, worker_setup
from maskgit.checkpoints.native import load_model
from maskgit.errors import InputError
from maskgit.files import temporary_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.grid.sections import ThroughputSection
    from bench.results.identity import RunIdentity
    from bench.results.record import RunRecord
    from bench.run.blocks import Block


def run(
    written: Spec,
    output: Path,
    base: Path | None = None,
    quiet: bool = False,
    keep_going: bool = False,
    json_logs: bool = False,
    replace: bool = False,
    wait: bool = False,
    kept: RunRecord | None = None,
) -> Path:
    """Run a benchmark and write its tables.

    Args:
        written: The spec, with paths as written.
        output: The run folder; work that an earlier run stored there is reused.
        base: Folder that relative paths of the spec start from; the current folder by default.
        quiet: Show no progress.
        keep_going: Skip a checkpoint that is missing, damaged or too large for the memory, and continue with the others;
            the run is then marked as incomplete.
        json_logs: Show progress as JSON lines (bench.progress.displays).
        replace: Replace the tables of another run in the folder instead of refusing; its stored work is kept.
        wait: If another process holds the folder, wait for its end instead of refusing.
        kept: The record of the same run, whose speeds and dates are kept: the tables are computed again, not measured.

    Returns:
        The run folder.

    Raises:
        InputError: Bad input, another run or another process in the folder, found before anything is decoded or written;
            or every checkpoint failed.
    """
    tile = written.execution.tile
    with suppress(InputError):  # a damaged identity, which is refused later unless it may be replaced
        tile = starting_tile(read_identity(output), written)
    while True:
        try:
            return _run(written, tile, output, base or Path.cwd(), quiet, keep_going, json_logs, replace, wait, kept)
        except SmallerTile as smaller:
            tile, replace = smaller.tile, True  # its own work with the larger tile


def _run(
    written: Spec,
    tile: int,
    output: Path,
    base: Path,
    quiet: bool,
    keep_going: bool,
    json_logs: bool,
    replace: bool,
    wait: bool,
    kept: RunRecord | None,
) -> Path:
    """Run a benchmark with a given tile; see `run`.

    Raises:
        SmallerTile: The tile does not fit into memory, and a smaller one does.
    """
    created, clock, policy = time.time(), Clock(), FailurePolicy(keep_going)
    with ExitStack() as held:
        with clock.measure("total"):
            spec = with_tile(with_paths_from(written, base), tile)
            device = environment.resolve_device(spec.execution.device)
            inputs = open_inputs(spec, base, policy)
            copies = audit(inputs.test_set.truth, spec.data.train, near=False)
            metrics = spec.metrics
            sources = resolve_all(
                metrics.features, metrics.weights, metrics.allow_unverified_weights, download=True, base=base
            )
            own = own_metrics(metrics.extra, base)
            runtime = Runtime(device, environment.configure(spec.execution, device))
            jobs = _open_jobs(inputs, runtime, spec, policy)
            extractors = [load_extractor(source, device) for source in sources]

            def identified(earlier: RunIdentity | None) -> tuple[RunIdentity, list[Block]]:
                before = earlier.block_ids if earlier else ()
                blocks = blocking.split(inputs.test_set, spec.execution.block, inputs.external, before)
                weights = {job.name: job.model.fingerprint for job in jobs}
                start = os.path.relpath(base, output)
                return identify(written, start, inputs, weights, sources, runtime.numerics, blocks, copies), blocks

            folder = OutputFolder(output, spec.execution.store, replace)
            folder.require_continuation(identified)
            with _progress(inputs, jobs, quiet, json_logs, output) as progress:
                _report_skipped(policy, progress)
                if spec.execution.executor == "local":  # several processes could not agree on a tile
                    by_name = {job.name: job for job in jobs}
                    policy.smaller_tile = lambda name: smaller_tile(by_name[name], extractors, progress.warn)

                def context(claim: Claim, executor: str) -> RunContext:
                    store, identity, blocks = claim

                    def setup() -> WorkerSetup:
                        probe = held.enter_context(temporary_file(store.root))
                        return worker_setup(inputs, jobs, sources, store, probe.name)

                    store.on_damage = progress.warn
                    execute = EXECUTORS[executor](_placement(spec, runtime, folder.claims(identity)))
                    return RunContext(extractors, store, clock, progress, blocks, execute, setup, own)

                executor, earlier, counts = "local" if kept else spec.execution.executor, None, None
                if is_shared := executor == "shared":
                    require_recognisable(jobs)
                    claim = held.enter_context(folder.joined(identified, progress.warn))
                    earlier = folder.result(claim[1])
                    if earlier is not None and earlier.complete:
                        return output
                    with named_if_out_of_memory("the run"):
                        counts = _inpaint(inputs, jobs, context(claim, executor), policy)
                    executor, wait = "local", True  # looks through the stored blocks, and repairs them if necessary
                claim = held.enter_context(folder.claimed(identified, wait, progress.warn))
                store, identity, _ = claim
                if is_shared and folder.result(identity) not in (None, earlier):
                    return output  # written by another process
                folder.begin(identity)
                with named_if_out_of_memory("the run"):
                    jobs, result = _execute(
                        written, inputs, jobs, sources, copies, context(claim, executor), policy, kept, counts
                    )
        inputs = inputs.only(job.name for job in jobs)
        files = tables.write(output, tables.build(inputs, jobs, sources, result, store))
        made = Circumstances(created, clock.seconds, runtime.numerics, device, identity.base)
        record = kept or run_record(written, inputs, jobs, sources, result, made)
        write_record(output, record.model_copy(update={"identity": identity.hash, "files": files}))
        discard(folder.claims(identity))
    return output


def _open_jobs(inputs: Inputs, runtime: Runtime, spec: Spec, policy: FailurePolicy) -> list[Job]:
    jobs = []
    for name, checkpoint in inputs.checkpoints.items():
        with policy.checkpoint(name):
            precision, evidence = spec.execution.precision, evidence_of(inputs.test_set)
            model = load_model(checkpoint, runtime.device, precision=precision, evidence=evidence)
            require_size(name, model.image_size, inputs.test_set)
            jobs.append(Job(name, model, inputs.plan.of(name), runtime))
    policy.require_any(jobs)
    return jobs


def _progress(inputs: Inputs, jobs: list[Job], quiet: bool, json_logs: bool, output: Path) -> Reporter:
    n_images = len(inputs.test_set.image_ids)
    work = n_images * sum(work_of(job.plan, inputs.checkpoints[job.name]).per_image for job in jobs)
    images = n_images * sum(len(job.plan.cells) for job in jobs)
    return Reporter(work, quiet, stage="reference", images=images, as_json=json_logs, folder=output)


def _report_skipped(policy: FailurePolicy, progress: Reporter) -> None:
    """Report the checkpoints that are skipped so far, and later each one when it fails."""
    for name, failure in policy.failures.items():
        progress.skip(name, str(failure))
    policy.on_skip = progress.skip


@torch.inference_mode()
def _inpaint(inputs: Inputs, jobs: list[Job], context: RunContext, policy: FailurePolicy) -> dict[str, RunCounts]:
    works = {job.name: work_of(job.plan, inputs.checkpoints[job.name]) for job in jobs}
    return inpaint({job.name: job for job in jobs}, works, context, policy)


@torch.inference_mode()
def _execute(
    spec: Spec,
    inputs: Inputs,
    jobs: list[Job],
    sources: Sequence[Source],
    copies: Audit,
    context: RunContext,
    policy: FailurePolicy,
    kept: RunRecord | None,
    shared: dict[str, RunCounts] | None,
) -> tuple[list[Job], tables.Result]:
    """All the work of a run; returns the jobs that succeeded. If the run is stopped, all finished work is in the store."""
    counts = _inpaint(inputs, jobs, context, policy)
    for name, earlier in (shared or {}).items():
        if name in counts:
            counts[name].passes += earlier.passes
    jobs = [job for job in jobs if job.name in counts]
    policy.require_any(jobs)
    context.progress.at(Place("throughput"))
    with context.clock.measure("throughput"):
        speeds = recorded_speeds(kept, inputs.plan) if kept else None
        speeds = speeds or _speeds(jobs, context.blocks[0], spec.throughput)
    with context.clock.measure("score"):
        truth = {extractor.name: _truth_features(extractor, jobs[0], context) for extractor in context.extractors}
        clean = copies.clean if copies.folders else None
        against = reference_set(truth, copies.copy_of, clean, spec.metrics.extra, context.own_metrics)
        scores = _scores(jobs, against, sources[0], context)
        rows = list(score_rows(jobs, context.blocks, context.extractors, against, context.store))
    return jobs, tables.Result(
        blocks=context.blocks,
        scores=scores,
        rows=rows,
        speeds=speeds,
        audit=copies,
        warnings=[
            *caveats(context.n_images, summarise(copies), sources, limited=spec.data.limit is not None),
            *(text for job in jobs for text in model_caveats(job, context.blocks, context.store)),
            *(f"The metric {metric.name} was computed by the user's own code." for metric in context.own_metrics),
            *missing_rows(),
            *caveat(spec, jobs[0].runtime.tile),
            *inputs.test_set.notes,
        ],
        counts=list(counts.values()),
        skipped={name: str(failure) for name, failure in policy.failures.items()},
    )


def _placement(spec: Spec, runtime: Runtime, claims: Path) -> Placement:
    """Where the blocks of a run are done."""
    execution = spec.execution
    return Placement(
        workers=None if execution.workers == "auto" else execution.workers,
        threads=runtime.numerics.threads,
        gpu=runtime.numerics.device == "cuda",
        claims=claims,
        claim_timeout_s=execution.claim_timeout_s,
    )


def _speeds(jobs: list[Job], block: Block, speed: ThroughputSection) -> Speeds:
    """Unit costs of every checkpoint, some of its cells measured end to end, and the speed of the machine."""
    units = {job.name: throughput.measure_units(job, block, speed.warm_up, speed.repeats) for job in jobs}
    checks = [
        check
        for job in jobs
        for check in throughput.measure_cells(job, block, units[job.name], speed.checks, speed.repeats)
    ]
    return Speeds(units, checks, throughput.reference_ms(jobs[0].runtime.device))


def _scores(jobs: list[Job], against: ReferenceSet, primary: Source, context: RunContext) -> list[CellScore]:
    """Score every cell; progress now shows the best score so far."""
    scores: list[CellScore] = []
    distances: list[float] = []
    cells = sum(len(job.plan.cells) for job in jobs)
    context.progress.at(Place("score", cells=cells, cell=0))
    for job in jobs:
        for score in score_cells(job, context.blocks, context.extractors, against, context.store):
            scores.append(score)
            distances.append(score.number(FRECHET, primary.name).value)
            best = scores[int(np.argmin(distances))].cell.cell_id
            context.progress.best(Best(best, distance_column(primary.label), min(distances), context.n_images))
            context.progress.at(Place("score", cells=cells, cell=len(scores)))
    return scores


def _truth_features(extractor: Extractor, job: Job, context: RunContext) -> np.ndarray:
    works = (BlockWork(job, block, context.store) for block in context.blocks)
    return np.concatenate([work.truth_features(extractor) for work in works])
