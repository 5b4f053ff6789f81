"""A block's report adds up to the work that was planned for it."""

from __future__ import annotations

import pytest

from bench.grid.plan import Flops
from bench.progress.reporter import Place, Reporter
from bench.run.work import BlockReport, Work

WORK = Work(Flops(encode=5, step=3, render=2), steps=4, canvases=6)
IMAGES = 10


@pytest.mark.parametrize("stored_steps", [0, 1, 4])
@pytest.mark.parametrize("canvases", [0, 25, 60])  # distinct ones may be fewer than planned
def test_the_parts_of_a_block_are_its_whole_work(stored_steps: int, canvases: int) -> None:
    assert WORK.per_image == 5 + 4 * 3 + 6 * 2
    progress = Reporter(2 * WORK.per_image * IMAGES, quiet=True)
    report = BlockReport(progress, WORK, Place("inpaint"), IMAGES)
    report.encoding()
    report.decoding(1, 1)
    report.stepped(stored_steps, stored=True)
    for _ in range(WORK.steps - stored_steps):
        report.stepped()
    decoded = progress.done
    assert decoded == (5 + 4 * 3) * IMAGES
    report.rendering()
    report.rendered(canvases)
    assert progress.done == decoded + 2 * canvases
    report.end()
    assert progress.done == WORK.per_image * IMAGES
