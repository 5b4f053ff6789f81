"""The tables of a run built again from its stored work, by the code that wrote them; no network runs, nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.audit.copies import NONE, Audit, FolderOverlap
from bench.grid.spec import with_paths_from
from bench.metrics.measure import reference_set
from bench.results.stored import truth_features
from bench.run import blocks as blocking
from bench.run import tables
from bench.run.blocks import Block
from bench.run.inputs import Inputs, open_test_set
from bench.run.job import Job
from bench.run.references import ORACLE
from bench.run.runtime import Runtime
from bench.run.score import score_cells, score_rows
from bench.run.speeds import Speeds, recorded_speeds
from bench.run.throughput import Cost, UnitCosts
from bench.store.keys import BlockIdentity, Numerics
from bench.store.store import Store
from maskgit.data.external import read_external
from maskgit.data.testset import TestSet
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from bench.features.registry import Extractor
    from bench.features.sources import Source
    from bench.grid.spec import Spec
    from bench.results.folder import RunFolder
    from bench.results.identity import RunIdentity
    from maskgit.model import MaskedImageModel

OF_PIXELS = ("hole_ratio", "token_hole_ratio", "mask_sha256", "token_accuracy", ORACLE)
"""Columns, metrics and reference rows that need the images and masks of the test set, in addition to the stored work."""
OF_SPEED = ("images_per_s", "ms_per_image", "throughput_source")


class NotStoredError(InputError):
    """Stored work that a table needs is missing."""


class ReadOnlyStore(Store):
    """A store that computes and moves nothing."""

    def get_or_compute(self, kind: str, key: str, compute: Callable[[], pa.Table]) -> pa.Table:
        """All rows under a key.

        Raises:
            NotStoredError: There are none.
        """
        table = self.read(kind, key)
        if table is None:
            raise NotStoredError(f"{self.root}: {kind} of the run are missing")
        return table


@dataclass(frozen=True)
class StoredBlock(Block):
    """A block whose content is known by its digests alone."""

    recorded: BlockIdentity = field(default_factory=lambda: BlockIdentity((), (), ()))

    @property
    def identity(self) -> BlockIdentity:
        """Content of the block, as recorded."""
        return self.recorded


@dataclass(frozen=True)
class StoredModel:
    """The parts of a model that tables need: its weights by fingerprint, and the side of a token in pixels."""

    fingerprint: str
    cell: int


@dataclass(frozen=True)
class Rebuilt:
    """Tables by name; the columns, metrics and reference rows in them that could not be rebuilt, and why."""

    tables: dict[str, pa.Table]
    unknown: tuple[str, ...]
    reasons: tuple[str, ...]


def rebuild(run: RunFolder, identity: RunIdentity) -> Rebuilt:
    """Build the tables of a run again.

    Raises:
        InputError: Stored work is missing or damaged, or the training folders are not there.
    """
    record = run.record
    reasons: list[str] = []
    unknown: list[str] = []
    names = [entry.name for entry in record.checkpoints]
    spec = with_paths_from(run.spec, run.base)
    numerics = Numerics(**identity.numerics.model_dump()) if identity.numerics else None
    assert numerics is not None
    try:
        test_set, blocks, external = _images(spec, identity)
    except InputError as error:
        test_set, blocks, external = _recorded_images(run, identity)
        reasons.append(f"{', '.join(OF_PIXELS)}, external: {error}")
        unknown += OF_PIXELS
    runtime = Runtime("cpu", numerics)
    sides = {entry.name: round((entry.tokens or 1) ** 0.5) for entry in record.checkpoints}
    plan = identity.plan
    models = {n: StoredModel(identity.checkpoints[n], test_set.hole.shape[-1] // sides[n]) for n in names}
    jobs = [Job(name, cast("MaskedImageModel", models[name]), plan.of(name), runtime) for name in names]
    extractors = cast("list[Extractor]", list(record.features))
    store = ReadOnlyStore(run.store)
    copies = _copies(identity)
    work = jobs[0].stored(blocks, store)
    truth = {extractor.name: truth_features(work, extractor.fingerprint) for extractor in extractors}
    clean = copies.clean if copies.folders else None
    against = reference_set(truth, copies.copy_of, clean, spec.metrics.extra)
    inputs = Inputs(test_set, {}, plan, external).only(names)
    speeds = recorded_speeds(record, inputs.plan)
    if speeds is None:
        reasons.append("speeds: run.json lacks them")
        unknown += OF_SPEED
    result = tables.Result(
        blocks=blocks,
        scores=[score for job in jobs for score in score_cells(job, blocks, extractors, against, store)],
        rows=list(score_rows(jobs, blocks, extractors, against, store)),
        speeds=speeds or Speeds(dict.fromkeys(names, _no_speed()), (), 1.0),
        audit=copies,
        warnings=[],
        counts=[],
        skipped={},
    )
    sources = cast("list[Source]", list(record.features))
    return Rebuilt(tables.build(inputs, jobs, sources, result, store), tuple(unknown), tuple(reasons))


def _images(spec: Spec, identity: RunIdentity) -> tuple[TestSet, list[Block], dict[str, np.ndarray]]:
    """The test set, its blocks, and the images of other programs.

    Raises:
        InputError: They are missing, or are not those of the run.
    """
    test_set = open_test_set(spec.data)
    ids, (height, width) = test_set.image_ids.tolist(), test_set.masked.shape[-2:]
    external = {entry.name: read_external(entry.images, ids, (height, width)) for entry in spec.external}
    blocks = blocking.split(test_set, spec.execution.block, external, identity.block_ids)
    if tuple(block.identity for block in blocks) != identity.block_identities:
        raise InputError("the test set changed since the run")
    return test_set, blocks, external


def _recorded_images(run: RunFolder, identity: RunIdentity) -> tuple[TestSet, list[Block], dict[str, np.ndarray]]:
    """The test set as recorded: ids and digests, with black images."""
    size = run.record.data.image_size or 1
    height, width = (size, size) if isinstance(size, int) else size
    ids, pixels = np.array(list(identity.images)), tuple(image.pixels for image in identity.images.values())
    black = np.zeros((len(ids), 3, height, width), np.uint8)
    hole = np.ones((len(ids), height, width), np.bool_)
    blocks: list[Block] = []
    for own in identity.block_identities:
        rows = slice(start := sum(len(block.image_ids) for block in blocks), start + len(own.image_ids))
        blocks.append(StoredBlock(ids[rows], black[rows], hole[rows], black[rows], pixels[rows], recorded=own))
    return TestSet(run.record.data.name, ids, black, hole, black, {}, pixels), blocks, {}


def _copies(identity: RunIdentity) -> Audit:
    """The exact copies, from the digests of the originals and the recorded overlap with training folders."""
    images = list(identity.images.values())
    first: dict[str, int] = {}
    copy_of = np.array([first.setdefault(image.truth, row) for row, image in enumerate(images)], np.int64)
    folders: tuple[FolderOverlap, ...] = ()
    if any(image.in_training is not None for image in images):
        copy = np.array([0 if image.in_training else NONE for image in images], np.int64)
        folders = (FolderOverlap("training", (), 0, copy, None),)
    return Audit((0, 0), copy_of, None, folders)


def _no_speed() -> UnitCosts:
    cost = Cost(1.0, 1.0, 1.0, 1)
    return UnitCosts(cost, cost, cost)
