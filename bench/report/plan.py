"""The work and cost of a spec, before anything is run.

images                       test images
cells, trajectories          their numbers
transformer_passes           transformer passes over all images; transformer_passes_unshared: if every cell were decoded alone
canvases_rendered_at_most    images to render; equal canvases are rendered once
stored_trajectories          complete, all: blocks of trajectories in the store, and needed by the grid
gflop                        operations, in 10⁹; null for a Python model
estimate_s                   seconds of decoding and rendering; null before a first run in the folder
device                       the device it would run on
folder                       what a run would do with its folder: path; action: new, resume, amend or refuse; changes: what it
                             would add, or why it would be refused, each as "key: old → new"
scale                        a run on several workers, if asked for, otherwise null. workers; images: those of the data set or
                             as given; blocks: units of work; blocks_s: seconds until all blocks are done; worker_memory_mb,
                             driver_memory_mb: memory of a worker, and of the process that writes the tables, both without
                             the program itself; disk_mb: stored work and tables, before compression; network_mb: between
                             the workers and the store, in both directions; assumptions: what the numbers rest on
notes                        remarks from reading the data
spec                         grid.toml with every default, paths as written
axes                         the values of every setting
cell_ids                     the cells, in order
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.document.model import Bullets, Document, Facts, Item, Pairs, Section
from bench.features.sources import resolve_all
from bench.grid.axes import Axes
from bench.grid.plan import Plan, flops, matches
from bench.report.scale import scale, scale_facts
from bench.results.identity import AMEND, NEW, REFUSE, RESUME
from bench.results.record import STAGES
from bench.run import blocks as blocking
from bench.run import environment
from bench.run.identify import outlook
from bench.store.keys import model_key, trajectory_key
from bench.store.records import read_record
from maskgit.errors import InputError
from maskgit.rules import RULE_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.grid.spec import Spec
    from bench.results.folder import RunFolder
    from bench.results.identity import RunIdentity
    from bench.run.blocks import Block
    from bench.run.inputs import Inputs
    from bench.store.keys import Numerics
    from bench.store.store import Store


@dataclass(frozen=True)
class Destination:
    """The folder of a run that is planned.

    Attributes:
        path: The folder; it need not exist.
        base: Folder that relative paths of the spec start from, relative to the run folder.
        store: The store, which is only read.
        identity: The identity of the run in it, or None.
        finished: That run, if it is finished; its measured unit costs give the estimate.
    """

    path: Path
    base: str
    store: Store
    identity: RunIdentity | None
    finished: RunFolder | None


def preview(
    written: Spec,
    spec: Spec,
    inputs: Inputs,
    destination: Destination,
    device: str,
    workers: int | None = None,
    images: int | None = None,
) -> dict[str, Any]:
    """Count cells, trajectories, passes, operations and what the store already holds.

    Args:
        written: The spec, paths as written.
        spec: The spec, paths resolved.
        inputs: The inputs.
        destination: The folder of the run.
        device: The device it would run on.
        workers: Number of workers to predict a run for.
        images: Test images of that run; by default those of the inputs.
    """
    plan, n_images = inputs.plan, len(inputs.test_set.image_ids)
    earlier = destination.identity
    blocks = blocking.split(
        inputs.test_set, spec.execution.block, inputs.external, earlier.block_ids if earlier else ()
    )
    numerics = environment.numerics(spec.execution, device)
    related = outlook(written, destination.base, inputs, numerics, blocks, earlier)
    estimate_s = _estimate_s(inputs, destination.finished)
    predicted = None
    if workers is not None or images is not None:
        predicted = scale(spec, inputs, _dims(spec), device, workers or 1, images or n_images, estimate_s)
    content: dict[str, Any] = {
        "images": n_images,
        "cells": len(plan.cells),
        "trajectories": len(plan.trajectories),
        "transformer_passes": plan.passes * n_images,
        "transformer_passes_unshared": plan.passes_unshared * n_images,
        "canvases_rendered_at_most": plan.canvases * n_images,
        "stored_trajectories": _stored(inputs, blocks, numerics, destination.store),
        "gflop": _gflop(inputs),
        "estimate_s": estimate_s,
        "device": device,
        "folder": {"path": str(destination.path), "action": related.action, "changes": list(related.changes)},
        "scale": predicted,
        "notes": list(inputs.test_set.notes),
    }
    return {
        **content,
        "spec": spec.model_dump(mode="json"),
        "axes": _axes(plan),
        "cell_ids": [cell.cell_id for cell in plan.cells],
    }


def plan_document(content: dict[str, Any]) -> Document:
    """A preview as a document: the counts, and every setting with its value."""
    stored = content["stored_trajectories"]
    shared, unshared = content["transformer_passes"], content["transformer_passes_unshared"]
    gflop, estimate = content["gflop"], content["estimate_s"]
    counts = (
        ("images", f"{content['images']:,}"),
        ("cells", f"{content['cells']:,}"),
        ("trajectories", f"{content['trajectories']:,}"),
        ("transformer passes", f"{shared:,} ({unshared:,} if every cell were decoded alone)"),
        ("canvases to render", f"{content['canvases_rendered_at_most']:,} at most"),
        ("already stored", f"{stored['complete']:,} of {stored['all']:,} trajectory blocks"),
        ("operations", f"{gflop:,.0f} GFLOP" if gflop is not None else "unknown for a Python model"),
        (
            "estimated time",
            f"{estimate:,.0f} s" if estimate is not None else "unknown before a first run in this folder",
        ),
        ("device", str(content["device"])),
        ("run folder", _folder_text(**content["folder"])),
    )
    predicted = (_scale_section(content["scale"]),) if content["scale"] else ()
    notes = (Section("Notes", (Bullets(tuple(map(Item, content["notes"]))),)),) if content["notes"] else ()
    parts = (Facts(counts), *predicted, Section("Settings", (Facts(_settings(content)),)), *notes)
    return Document(f"maskbench plan: {content['spec']['run']['name']}", parts)


def _scale_section(content: dict[str, Any]) -> Section:
    assumptions = tuple(Item(f"assumed: {text}") for text in content["assumptions"])
    return Section("Scale", (Facts(scale_facts(content)), Bullets(assumptions)))


def _folder_text(path: str, action: str, changes: list[str]) -> str:
    reasons = "; ".join(changes)
    meanings = {
        NEW: "a new run",
        RESUME: "resumes the run in it",
        AMEND: f"adds to the run in it ({reasons})",
        REFUSE: f"refused without --replace: another run is in it ({reasons})",
    }
    return f"{path}: {meanings[action]}"


def _settings(content: dict[str, Any]) -> Pairs:
    """Every setting that has a value, by section and key; an axis missing in the spec has the values of the cells."""
    pairs = []
    sections = content["spec"].items()
    tables = [(name, section) for name, section in sections if isinstance(section, dict)]
    tables += [(name, entry) for name, section in sections if isinstance(section, list) for entry in section]
    for section, values in tables:
        for key, given in values.items():
            value = content["axes"].get(key) if section == "grid" and given is None else given
            if value not in (None, [], (), {}):
                pairs.append((f"{section}.{key}", str(value)))
    return tuple(pairs)


def _axes(plan: Plan) -> dict[str, list[Any]]:
    """The values of every setting, in order of appearance, and the rules that match some cell."""
    settings = [cell.settings for cell in plan.cells]
    values = {name: list(dict.fromkeys(cell[name] for cell in settings)) for name in settings[0]}
    rules = [rule for rule in RULE_NAMES if any(matches(cell, Axes(rule=(rule,))) for cell in plan.cells)]
    return {**values, "rule": rules}


def _stored(inputs: Inputs, blocks: Sequence[Block], numerics: Numerics, store: Store) -> dict[str, int]:
    """Number of (trajectory, block) pairs that the store has up to the last step needed."""
    complete = total = 0
    for block in blocks:
        for trajectory, last in inputs.plan.trajectories.items():
            fingerprint = inputs.checkpoints[trajectory.checkpoint].fingerprint
            key = model_key(fingerprint, block.identity, numerics)
            record = read_record(store, trajectory_key(key, block.identity, trajectory.decode_settings))
            total += 1
            complete += record is not None and record.last_step >= last
    return {"complete": complete, "all": total}


def _dims(spec: Spec) -> Sequence[int | None]:
    """Features per image of every extractor; None if the weights have not been found."""
    metrics = spec.metrics
    try:
        sources = resolve_all(metrics.features, metrics.weights, metrics.allow_unverified_weights)
    except InputError:
        return [None] * len(metrics.features)
    return [source.dim for source in sources]


def _gflop(inputs: Inputs) -> float | None:
    total = 0
    for name, checkpoint in inputs.checkpoints.items():
        if checkpoint.tokenizer is None or checkpoint.transformer is None:
            return None
        total += flops(checkpoint.tokenizer, checkpoint.transformer).total(inputs.plan.of(name))
    return total * len(inputs.test_set.image_ids) / 1e9


def _estimate_s(inputs: Inputs, earlier: RunFolder | None) -> float | None:
    """Seconds of decoding and rendering, from an earlier run's unit costs; None if that run lacks a checkpoint."""
    if earlier is None or earlier.record.throughput is None:
        return None
    cost = {
        part: {
            entry.checkpoint: entry.median_ms_per_image for entry in getattr(earlier.record.throughput, f"{part}_ms")
        }
        for part in STAGES
    }
    total = 0.0
    for name in inputs.checkpoints:
        if name not in cost["step"]:
            return None
        plan = inputs.plan.of(name)
        total += cost["encode"][name] + plan.passes * cost["step"][name] + plan.canvases * cost["decode"][name]
    return total * len(inputs.test_set.image_ids) / 1000
