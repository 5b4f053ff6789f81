"""The work on one block of test images: results are read from the store, or computed and committed.

These are all the stored results of a run, and no other module computes them:

    stage            result                                                  depends on
    ---------------  ------------------------------------------------------  ----------------------------------
    decode           canvases of every executed step of every trajectory     checkpoint, settings, masked images
    truth_tokens     tokens of the ground truth                              checkpoint, ground truth
    truth_nll_nats   NLL of these tokens under the model                     checkpoint, both
    embed            features and pixel errors of the distinct canvases      the canvases, extractor, ground truth
    truth_features   features of the ground truth                            extractor, ground truth
    painted          features and pixel errors of rows without a model       extractor, masked images, ground truth
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.metrics.images import pixel_metrics
from bench.results.stored import record_of
from bench.run.decode import MaskedBlock, nll_nats, run_trajectory
from bench.run.embed import TILES_AT_ONCE, Measure, Shelf, embed_images, fill_shelves, kept_features
from bench.run.references import ORACLE, Row, decoded_trajectories, one_shot_cells, paint, painted_rows, recipe
from bench.run.render import render
from bench.store.canvases import Canvas, canvases_of_tokens, column, vectors
from bench.store.keys import (
    feature_key,
    model_key,
    painted_key,
    pixels_key,
    reference_key,
    trajectory_key,
    truth_likelihood_key,
    truth_tokens_key,
)
from bench.store.kinds import FEATURES, PAINTED, PIXELS, REFERENCE, TRAJECTORIES, TRUTH_LIKELIHOOD, TRUTH_TOKENS
from bench.store.records import Record, from_table, to_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.features.registry import Extractor
    from bench.grid.plan import Trajectory
    from bench.run.blocks import Block
    from bench.run.job import Job
    from bench.run.work import BlockReport
    from bench.store.store import Store


@dataclass(frozen=True, eq=False)
class BlockWork:
    """The work on one block for one checkpoint."""

    job: Job
    block: Block
    store: Store

    @cached_property
    def key(self) -> str:
        """Key of the model layer."""
        return model_key(self.job.model.fingerprint, self.block.identity, self.job.runtime.numerics)

    @property
    def masked(self) -> MaskedBlock:
        """The block as the model sees it; a new object every time, because it keeps the logits of all its images."""
        return MaskedBlock(self.job.model, self.block, self.job.runtime)

    def keys(self, extractors: Sequence[Extractor]) -> list[tuple[str, str]]:
        """Kind and key of all stored results of the block."""
        model, identity, numerics = self.job.model.fingerprint, self.block.identity, self.job.runtime.numerics
        keys = [
            (TRUTH_TOKENS, truth_tokens_key(model, identity, numerics)),
            (TRUTH_LIKELIHOOD, truth_likelihood_key(self.key, identity)),
            (PIXELS, pixels_key(self.key, identity)),
        ]
        keys += [
            (TRAJECTORIES, trajectory_key(self.key, identity, trajectory.decode_settings))
            for trajectory in decoded_trajectories(self.job.plan)
        ]
        for extractor in extractors:
            keys.append((FEATURES, feature_key(self.key, extractor.fingerprint)))
            keys.append((REFERENCE, reference_key(identity, extractor.fingerprint, numerics)))
            for name in painted_rows(self.block):
                key = painted_key(recipe(name, self.block), identity, extractor.fingerprint, numerics)
                keys.append((PAINTED, key))
        return keys

    # --- for this checkpoint ----------------------------------------------------------------------------------------

    def decode(self, report: BlockReport) -> tuple[dict[Trajectory, Record], int]:
        """Decode every trajectory up to the last step that a cell needs, and measure the NLL of the ground truth.

        Returns:
            The records, and the number of images that passed through the transformer.
        """
        masked, trajectories = self.masked, decoded_trajectories(self.job.plan)
        records, count = {}, len(self.job.plan.trajectories)
        report.encoding()
        for number, (trajectory, last) in enumerate(trajectories.items(), 1 + count - len(trajectories)):
            report.decoding(max(1, number), count)  # that of the reference row, if it is one more, is not counted
            records[trajectory] = self._record(masked, trajectory, last, report)
        self.truth_nll_nats(masked)
        return records, masked.passes

    def _record(self, masked: MaskedBlock, trajectory: Trajectory, last: int, report: BlockReport) -> Record:
        """At least the steps 1 … `last` of a trajectory; stored steps are not executed again."""

        def missing_steps(stored: pa.Table | None) -> pa.Table | None:
            done = from_table(stored)
            steps_done = done.last_step if done else 0
            report.stepped(min(steps_done, last), stored=True)
            if steps_done >= last:
                return None
            steps = run_trajectory(masked, trajectory, done, last, keep_first=True, on_step=report.stepped)
            return to_table(steps, self.block.image_ids, first_step=steps_done + 1)

        key = trajectory_key(self.key, self.block.identity, trajectory.decode_settings)
        record = from_table(self.store.complete(TRAJECTORIES, key, missing_steps))
        assert record is not None
        return record

    def truth_tokens(self) -> np.ndarray:
        """Tokens (B, N) int64 of the ground truth."""
        model, runtime = self.job.model, self.job.runtime

        def compute() -> pa.Table:
            tokens = runtime.map_array(model.encode, self.block.truth)
            return pa.table({"tokens": column(tokens.astype(np.uint16))})

        key = truth_tokens_key(model.fingerprint, self.block.identity, runtime.numerics)
        return vectors(self.store.get_or_compute(TRUTH_TOKENS, key, compute), "tokens").astype(np.int64)

    def truth_nll_nats(self, masked: MaskedBlock | None = None) -> np.ndarray:
        """Negative log-likelihood (B,) float32 of the ground truth; see `bench.run.decode.nll_nats`.

        Pass `masked`, the block, if its first logits have been computed already.
        """

        def compute() -> pa.Table:
            tokens = self.job.runtime.tensor(self.truth_tokens())
            return pa.table({"nll_nats": nll_nats(masked or self.masked, tokens)})

        key = truth_likelihood_key(self.key, self.block.identity)
        return np.asarray(self.store.get_or_compute(TRUTH_LIKELIHOOD, key, compute)["nll_nats"].to_numpy())

    def truth_canvases(self) -> dict[Row, dict[Canvas, np.ndarray]]:
        """Canvases of the rows that need the ground truth, with their tokens (N,), in every composition of the plan.

        Decode first: the tokens of the masked images are read from the record of one-shot decoding.
        """
        truth = self.truth_tokens()
        (one_shot,) = {cell.trajectory for cell in one_shot_cells(self.job.plan)}
        record = record_of(self.job.stored([self.block], self.store), one_shot, self.block.identity)
        filled = np.where(self.masked.mask.cpu().numpy(), truth, record.canvases[0])
        return {
            Row(name, self.job.name, compose): dict(
                zip(canvases_of_tokens(tokens, self.block.image_ids, compose), tokens, strict=True)
            )
            for name, tokens in (("tokenizer_floor", truth.astype(np.uint16)), (ORACLE, filled.astype(np.uint16)))
            for compose in self.job.plan.composes
        }

    def embed(self, tokens: Mapping[Canvas, np.ndarray], extractors: Sequence[Extractor], report: BlockReport) -> None:
        """Render the canvases whose features or pixel errors are not stored, and store these; `tokens` are (N,) each."""
        report.rendering()
        model, runtime = self.job.model, self.job.runtime
        shelves = [
            Shelf(self.store, FEATURES, feature_key(self.key, extractor.fingerprint), self._features(extractor))
            for extractor in extractors
        ]
        shelves.append(Shelf(self.store, PIXELS, pixels_key(self.key, self.block.identity), self._errors))
        fill_shelves(
            shelves,
            list(tokens),
            render=lambda canvases: render(model, canvases, [tokens[c] for c in canvases], self.block, runtime),
            at_once=TILES_AT_ONCE * runtime.tile,
            on_rendered=report.rendered,
        )

    def _features(self, extractor: Extractor) -> Measure:
        return lambda images, canvases: {"feature": embed_images(extractor, images, self.job.runtime)}

    def _errors(self, images: np.ndarray, canvases: Sequence[Canvas]) -> Mapping[str, np.ndarray]:
        rows = [canvas.row for canvas in canvases]
        return pixel_metrics(images, self.block.truth[rows], self.block.hole[rows], self.job.runtime.tile)

    # --- for any checkpoint -----------------------------------------------------------------------------------------

    def truth_features(self, extractor: Extractor) -> np.ndarray:
        """Features (B, D) float32 of the ground truth; the same for every checkpoint of a run."""
        runtime = self.job.runtime
        key = reference_key(self.block.identity, extractor.fingerprint, runtime.numerics)
        return kept_features(self.store, REFERENCE, key, lambda: embed_images(extractor, self.block.truth, runtime))

    def painted(self, name: str, extractor: Extractor) -> pa.Table:
        """Features and pixel errors of a reference row that needs no model; the same for every checkpoint of a run."""
        block, runtime = self.block, self.job.runtime

        def compute() -> pa.Table:
            images = paint(name, block)
            errors = pixel_metrics(images, block.truth, block.hole, runtime.tile)
            return pa.table({"feature": column(embed_images(extractor, images, runtime)), **errors})

        key = painted_key(recipe(name, block), block.identity, extractor.fingerprint, runtime.numerics)
        return self.store.get_or_compute(PAINTED, key, compute)
