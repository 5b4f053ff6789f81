"""Work: what a checkpoint's part of a run amounts to in any unit of cost, and the report of what is done of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.grid.plan import Flops, Plan, flops
from bench.run.references import decoded_trajectories

if TYPE_CHECKING:
    from bench.progress.reporter import Place, Reporter
    from maskgit.checkpoints.locate import Checkpoint


@dataclass(frozen=True)
class Work:
    """Work of a checkpoint on one image: what its parts weigh, and how many steps and canvases there are at most."""

    cost: Flops
    steps: int
    canvases: int

    @property
    def per_image(self) -> int:
        """The whole of it."""
        return self.cost.encode + self.steps * self.cost.step + self.canvases * self.cost.render


def work_of(plan: Plan, checkpoint: Checkpoint) -> Work:
    """Work of a checkpoint's part of a plan, the reference rows included."""
    canvases = len(plan.composes) * (plan.canvases + 2)
    return Work(_relative_cost(checkpoint), sum(decoded_trajectories(plan).values()), canvases)


def _relative_cost(checkpoint: Checkpoint) -> Flops:
    """Relative cost of a model's parts; unknown sizes count as equal."""
    if checkpoint.tokenizer is None or checkpoint.transformer is None:
        return Flops(1, 1, 1)
    cost = flops(checkpoint.tokenizer, checkpoint.transformer)
    return Flops(cost.encode, cost.step, 2 * cost.render)  # small convolutions run slower than matrix products


class BlockReport:
    """Reports what is done of a block's work; it knows what a step and a render weigh."""

    def __init__(self, progress: Reporter, work: Work, place: Place, images: int) -> None:
        self._progress, self._cost, self._place, self._images = progress, work.cost, place, images
        self._end = progress.done + work.per_image * images

    def encoding(self) -> None:
        """The masked images are being encoded."""
        self._progress.at(self._place)
        self._progress.advance(self._cost.encode * self._images)

    def decoding(self, number: int, count: int) -> None:
        """One of the block's trajectories begins, counted from 1."""
        self._progress.at(self._place.with_trajectory(number, count))

    def stepped(self, steps: int = 1, stored: bool = False) -> None:
        """All images of the block are so many steps further; `stored`: the steps were there already."""
        self._progress.advance(steps * self._images * self._cost.step, stored)

    def rendering(self) -> None:
        """The canvases are being rendered and embedded."""
        self._progress.at(self._place)

    def rendered(self, canvases: int, stored: bool = False) -> None:
        """So many canvases are rendered and embedded; `stored`: what is made of them was there already."""
        self._progress.advance(canvases * self._cost.render, stored)

    def end(self) -> None:
        """The block is finished: what was estimated and did not have to be done counts too."""
        self._progress.reach(self._end)
