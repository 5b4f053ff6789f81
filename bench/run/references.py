"""Reference rows: they are shown next to the cells of every run, so that a score can be read in context.

    row              meaning
    ---------------  -------------------------------------------------------------------------------------
    tokenizer_floor  the ground-truth tokens, decoded (rFID floor): no decoding of tokens is expected to score better
    oracle_filling   the hole's ground-truth tokens among the known tokens of the masked image: a transformer without error
    one_shot         all tokens of the hole drawn at once (T = 1): decoding without iterating
    telea            classical inpainting without any learning (Telea 2004), OpenCV's, radius 3 px; left out without OpenCV
    masked_input     the masked image, unchanged: the score of doing nothing
    external: NAME   the test set as inpainted by another program, which `[[external]]` names

The part of a cell's distance up to the first row is due to the tokenizer. From there to the second it is due to the encoder,
which sees the hole's grey in the known tokens at its border, and only the part above the second to decoding. There is one of
the first three rows per checkpoint and composition, computed from canvases as cells are; the others need no model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.grid.plan import Cell, Plan, Trajectory
from maskgit.data.dedup import digests
from maskgit.extras import install_line, installed, optional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.run.blocks import Block

TELEA_RADIUS_PX = 3.0
ORACLE = "oracle_filling"
EXTERNAL = "external: "
"""Prefix of the names of rows from other programs."""


@dataclass(frozen=True)
class Row:
    """A reference row; `checkpoint` is None for one that needs no model."""

    name: str
    checkpoint: str | None
    compose: str


def one_shot_cells(plan: Plan) -> dict[Cell, Row]:
    """The cells of one checkpoint that draw all tokens at once, with their reference rows.

    Seed and sampling are those of the plan's first cell. The other settings only affect re-masking, which never happens.
    """
    first = plan.cells[0].trajectory
    one_shot = replace(first, gamma="linear", gamma_values="", total_iter=1, rule=first.rule.of_one_step())
    return {Cell(one_shot, 1, compose): Row("one_shot", first.checkpoint, compose) for compose in plan.composes}


def decoded_trajectories(plan: Plan) -> dict[Trajectory, int]:
    """The trajectories to decode, including those of the reference rows, with the last step of each."""
    one_shot = dict.fromkeys((cell.trajectory for cell in one_shot_cells(plan)), 1)
    return {**one_shot, **plan.trajectories}


def paint(name: str, block: Block) -> np.ndarray:
    """Images (B, 3, H, W) uint8 of a row that needs no model."""
    if name.startswith(EXTERNAL):
        return block.external[name.removeprefix(EXTERNAL)]
    return PAINTERS[name](block)


def recipe(name: str, block: Block) -> str:
    """Everything except the block that the images of `paint` depend on, for keys."""
    return recipe_with(name, digests(paint(name, block)) if name.startswith(EXTERNAL) else ())


def recipe_with(name: str, external: Sequence[str]) -> str:
    """The recipe of a row; `external` are the digests of its images, if they are another program's."""
    if name.startswith(EXTERNAL):
        return f"{EXTERNAL}{' '.join(external)}"
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
    """OpenCV, imported on demand: it is optional, and its import takes a second."""
    return optional("cv2", "the reference row telea")


PAINTERS: dict[str, Callable[[Block], np.ndarray]] = {"telea": _telea, "masked_input": lambda block: block.masked}
NEEDS = {"telea": "cv2"}
"""Optional module of each row that needs one."""


def available_painters() -> list[str]:
    """Rows of `PAINTERS` that can be computed with the installed packages."""
    return [name for name in PAINTERS if name not in NEEDS or installed(NEEDS[name])]


def painted_rows(block: Block) -> list[str]:
    """All rows that need no model; those of other programs come last."""
    return [*available_painters(), *(f"{EXTERNAL}{name}" for name in block.external)]


def missing_rows() -> list[str]:
    """Sentences about the reference rows that are left out, and how to get them."""
    return [
        f"The reference row {name} is left out: OpenCV is not installed; {install_line(NEEDS[name])}"
        for name in PAINTERS
        if name not in available_painters()
    ]
