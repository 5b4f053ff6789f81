"""Reference rows: what stands beside the cells of every run, so that a score can be read.

    row              what it is
    ---------------  -------------------------------------------------------------------------------------
    tokenizer_floor  the ground truth's own tokens, decoded: what no decoding of tokens can be expected to beat
    one_shot         all tokens of the hole drawn at once (T = 1): decoding without iterating
    telea            classical inpainting without any learning (Telea 2004), OpenCV's, radius 3 px; left out without OpenCV
    masked_input     the masked image as it is: what doing nothing scores

What of a cell's distance lies below the first row's is the tokenizer's, what lies above it the decoding's. The first two
rows stand once for every checkpoint and composition, and are made of canvases as cells are; the last two need no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from bench.features.registry import Extractor
from bench.grid.plan import Cell, Plan
from bench.metrics.images import PICTURE_ERRORS, picture_errors
from bench.run.blocks import Block
from bench.run.embed import embed_images
from bench.run.job import Job
from bench.run.truth import truth_tokens
from bench.store.canvases import Canvas, canvases_of_tokens, column, vectors
from bench.store.keys import painted_key
from bench.store.kinds import PAINTED
from bench.store.store import Store
from maskgit.extras import install_line, installed, optional

TELEA_RADIUS_PX = 3.0


@dataclass(frozen=True)
class Row:
    """A reference row; `checkpoint` is None for one that needs no model."""

    name: str
    checkpoint: str | None
    compose: str


def one_shot_cells(plan: Plan) -> dict[Cell, Row]:
    """The cells of one checkpoint that draw all tokens at once, and the rows they are.

    Seed and sampling are those of the plan's first cell; the other settings rule what is masked again, and nothing is.
    """
    first = plan.cells[0].trajectory
    one = replace(first, gamma="linear", total_iter=1, rule=first.rule.of_one_step())
    return {Cell(one, 1, compose): Row("one_shot", first.checkpoint, compose) for compose in plan.composes}


def floor_canvases(job: Job, block: Block, store: Store) -> dict[Row, dict[Canvas, np.ndarray]]:
    """The canvases of the ground truth's own tokens, with the tokens (N,), in every composition of a plan."""
    tokens = truth_tokens(job, block, store).astype(np.uint16)
    return {
        Row("tokenizer_floor", job.name, compose): dict(
            zip(canvases_of_tokens(tokens, block.image_ids, compose), tokens, strict=True)
        )
        for compose in job.plan.composes
    }


def painted(
    name: str, job: Job, blocks: list[Block], extractors: list[Extractor], store: Store
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Features (N, D) by extractor, and errors (N,) by name, of pictures that need no model; stored as they are made.

    Args:
        name: A key of `PAINTERS`.
        job: Any of the run's: its tile, device and numerics.
    """
    tables = {e.name: [_painted_block(name, job, block, e, store) for block in blocks] for e in extractors}
    features = {extractor: np.concatenate([vectors(part) for part in parts]) for extractor, parts in tables.items()}
    whole = pa.concat_tables(next(iter(tables.values())))
    return features, {error: whole[error].to_numpy() for error in PICTURE_ERRORS}


def _painted_block(name: str, job: Job, block: Block, extractor: Extractor, store: Store) -> pa.Table:
    recipe = f"{name} {TELEA_RADIUS_PX} {_opencv().version.opencv_version}" if name == "telea" else name
    key = painted_key(recipe, block.identity, extractor.fingerprint, job.numerics)

    def compute() -> pa.Table:
        images = PAINTERS[name](block)
        errors = picture_errors(images, block.truth, block.hole, job.tile)
        return pa.table({"feature": column(embed_images(extractor, images, job.tile, job.device)), **errors})

    return store.get_or_compute(PAINTED, key, compute)


def _telea(block: Block) -> np.ndarray:
    cv2 = _opencv()
    painted = [
        cv2.inpaint(
            np.ascontiguousarray(image.transpose(1, 2, 0)), hole.astype(np.uint8), TELEA_RADIUS_PX, cv2.INPAINT_TELEA
        )
        for image, hole in zip(block.masked, block.hole, strict=True)
    ]
    return np.stack(painted).transpose(0, 3, 1, 2)


def _opencv() -> Any:
    """OpenCV, imported on demand: it is optional, and takes a second."""
    return optional("cv2", "the reference row telea")


PAINTERS: dict[str, Callable[[Block], np.ndarray]] = {"telea": _telea, "masked_input": lambda block: block.masked}
NEEDS = {"telea": "cv2"}
"""Optional modules by the row that needs one."""


def available_painters() -> list[str]:
    """Rows that need no model and can be computed with the packages that are installed."""
    return [name for name in PAINTERS if name not in NEEDS or installed(NEEDS[name])]


def missing_rows() -> list[str]:
    """Sentences for the reader of a report: which reference rows are left out, and how to get them."""
    return [
        f"The reference row {name} is left out: OpenCV is not installed; {install_line(NEEDS[name])}"
        for name in PAINTERS
        if name not in available_painters()
    ]
