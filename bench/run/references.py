"""Reference rows: what stands beside the cells of every run, so that a score can be read.

    row              what it is
    ---------------  -------------------------------------------------------------------------------------
    tokenizer_floor  the ground truth's own tokens, decoded: what no decoding of tokens can be expected to beat
    one_shot         all tokens of the hole drawn at once (T = 1): decoding without iterating
    telea            classical inpainting without any learning (Telea 2004), OpenCV's, radius 3 px; left out without OpenCV
    masked_input     the masked image as it is: what doing nothing scores
    external: NAME   what another program made of the test set, as `[[external]]` names it

What of a cell's distance lies below the first row's is the tokenizer's, what lies above it the decoding's. The first two
rows stand once for every checkpoint and composition, and are made of canvases as cells are; the others need no model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.grid.plan import Cell, Plan, Trajectory
from maskgit.data.dedup import digests
from maskgit.extras import install_line, installed, optional

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.run.blocks import Block

TELEA_RADIUS_PX = 3.0
EXTERNAL = "external: "
"""What the names of rows begin with that other programs made."""


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


def decoded_trajectories(plan: Plan) -> dict[Trajectory, int]:
    """The trajectories to decode and the last step of each, those of the reference rows among them."""
    one_shot = dict.fromkeys((cell.trajectory for cell in one_shot_cells(plan)), 1)
    return {**one_shot, **plan.trajectories}


def paint(name: str, block: Block) -> np.ndarray:
    """Images (B, 3, H, W) uint8 of a row that needs no model."""
    if name.startswith(EXTERNAL):
        return block.external[name.removeprefix(EXTERNAL)]
    return PAINTERS[name](block)


def recipe(name: str, block: Block) -> str:
    """What the images of `paint` depend on beside the block, for keys."""
    if name.startswith(EXTERNAL):
        return f"{EXTERNAL}{' '.join(digests(paint(name, block)))}"
    return f"{name} {TELEA_RADIUS_PX} {_opencv().version.opencv_version}" if name == "telea" else name


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
    """Rows of `PAINTERS` that can be computed with the packages that are installed."""
    return [name for name in PAINTERS if name not in NEEDS or installed(NEEDS[name])]


def painted_rows(block: Block) -> list[str]:
    """All rows that need no model, those of other programs last."""
    return [*available_painters(), *(f"{EXTERNAL}{name}" for name in block.external)]


def missing_rows() -> list[str]:
    """Sentences for the reader of a report: which reference rows are left out, and how to get them."""
    return [
        f"The reference row {name} is left out: OpenCV is not installed; {install_line(NEEDS[name])}"
        for name in PAINTERS
        if name not in available_painters()
    ]
