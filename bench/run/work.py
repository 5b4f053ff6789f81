"""Work of a checkpoint in a run, in units of cost, and the report of its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.grid.plan import Flops, Plan, flops
from bench.run.references import decoded_trajectories

if TYPE_CHECKING:
    from bench.progress.reporter import Place, Reporter
    from bench.progress.tally import Tally
    from maskgit.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class Work:
    """Work of a checkpoint on one image: the costs of its parts, and the maximum numbers of steps and canvases."""

    cost: Flops
    steps: int
    canvases: int

    @property
    def per_image(self) -> int:
        """Total work per image."""
        return self.cost.encode + self.steps * self.cost.step + self.canvases * self.cost.render


def work_of(plan: Plan, checkpoint: Checkpoint) -> Work:
    """Work of a checkpoint's part of a plan, including the reference rows."""
    canvases = len(plan.composes) * (plan.canvases + 3)
    return Work(_relative_cost(checkpoint), sum(decoded_trajectories(plan).values()), canvases)


def _relative_cost(checkpoint: Checkpoint) -> Flops:
    """Relative cost of a model's parts; unknown sizes count as equal."""
    if checkpoint.tokenizer is None or checkpoint.transformer is None:
        return Flops(1, 1, 1)
    cost = flops(checkpoint.tokenizer, checkpoint.transformer)
    return Flops(cost.encode, cost.step, 2 * cost.render)  # small convolutions run slower than matrix products


class BlockReport:
    """Reports the progress of a block; it knows the cost of a step and of a render."""

    def __init__(self, progress: Reporter | Tally, work: Work, place: Place, images: int) -> None:
        self._progress, self._cost, self._place, self._images = progress, work.cost, place, images
        self._end = progress.done + work.per_image * images

    def encoding(self) -> None:
        """Report that the masked images are being encoded."""
        self._progress.at(self._place)
        self._progress.advance(self._cost.encode * self._images)

    def decoding(self, number: int, count: int) -> None:
        """Report that trajectory `number` of `count` begins, counted from 1."""
        self._progress.at(self._place.with_trajectory(number, count))

    def stepped(self, steps: int = 1, stored: bool = False) -> None:
        """Report executed steps for all images of the block; `stored` is True if the steps came from the store."""
        self._progress.advance(steps * self._images * self._cost.step, stored)

    def rendering(self) -> None:
        """Report that the canvases are being rendered and embedded."""
        self._progress.at(self._place)

    def rendered(self, canvases: int, stored: bool = False) -> None:
        """Report canvases as rendered and embedded; `stored` is True if their features and errors came from the store."""
        self._progress.advance(canvases * self._cost.render, stored)

    def end(self) -> None:
        """Report that the block is finished; estimated work that was not needed counts as done."""
        self._progress.reach(self._end)
