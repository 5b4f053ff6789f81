"""Settings over several checkpoints and over several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Paragraph, Section, Span, Table, Tone
from bench.document.text import percent
from bench.results.cells import Cell, settings

if TYPE_CHECKING:
    from bench.report.checkpoints import CheckpointScore, OverCheckpoints
    from bench.report.view import View

SHOWN = 10  # settings
SEEDS_NOTE = (
    "SD of the seeds' scores; SE of their mean over images, exact copies counted as one image, which contains the decoding "
    "noise already: never add the two"
)
CHECKPOINTS_NOTE = "± standard error over images, for scores and changes; neither includes the variance of training"


def checkpoints(view: View) -> Section:
    """Quality over checkpoints."""
    return Section("By checkpoint", (*_left_out(len(view.by_checkpoint)), checkpoints_table(view)), CHECKPOINTS_NOTE)


def checkpoints_table(view: View) -> Table:
    """The settings with the best score of all, one row per checkpoint."""
    header = ("settings", "checkpoint", f"{view.metric.column} ± SE", "since the one above", "")
    rows = [
        (
            name if i == 0 else "",
            point.checkpoint,
            view.metric.show(point.score, point.se),
            checkpoint_change(view, point),
            Span("best" if point is over.best else "", tone=Tone.GOOD),
        )
        for name, over in best_over_checkpoints(view, SHOWN)
        for i, point in enumerate(over.scores)
    ]
    return Table(header, tuple(rows), (2, 3))


def best_over_checkpoints(view: View, count: int) -> list[tuple[str, OverCheckpoints]]:
    """The settings with the best score of all, in words, each with every checkpoint in the order of the run's list."""
    best = sorted(view.by_checkpoint, key=lambda over: over.best.score)[:count]
    return [(_without(view, view.cell(over.scores[0].cell_ids[0]), "checkpoint", "seed"), over) for over in best]


def checkpoint_change(view: View, point: CheckpointScore) -> str:
    """Change of a score from the previous checkpoint."""
    if point.change is None:
        return "–"
    return ("+" if point.change >= 0 else "") + view.metric.show(point.change, point.change_se)


def seeds(view: View) -> Section:
    """Spread over seeds."""
    noise = [Paragraph(noise_line(view))] if view.decoding_noise else []
    return Section("Over seeds", (*_left_out(len(view.seeds)), seeds_table(view), *noise), SEEDS_NOTE)


def noise_line(view: View) -> str:
    """What the error of a difference is made of, and what another seed would buy; empty if unknown."""
    noise = view.decoding_noise
    if noise is None:
        return ""
    show = view.metric.show
    return (
        f"Of the variance of a one-seed difference from the best setting, {percent(noise.share, 0)} is decoding noise and "
        f"{percent(1 - noise.share, 0)} the test set (median over settings). Its standard error is {show(noise.se_one)} with "
        f"one seed, {show(noise.se)} with these {noise.seeds}, and would be {show(noise.se_next)} with one more."
    )


def seeds_table(view: View) -> Table:
    """The settings with the best mean over seeds, with the spread over seeds and, separately, the error over images."""
    header = ("settings", "seeds", f"mean {view.metric.column}", "sd over seeds", "SE over images")
    rows = [
        (
            _without(view, view.cell(spread.cell_ids[0]), "seed"),
            str(len(spread.seeds)),
            view.metric.show(spread.mean),
            view.metric.show(spread.sd_over_seeds),
            view.metric.show(spread.se_over_images),
        )
        for spread in sorted(view.seeds, key=lambda spread: spread.mean)[:SHOWN]
    ]
    return Table(header, tuple(rows), (1, 2, 3, 4))


def _without(view: View, cell: Cell, *left_out: str) -> str:
    """Description of a cell's settings, without some of them."""
    return settings(cell, {axis: values for axis, values in view.varied.items() if axis not in left_out})


def _left_out(count: int) -> tuple[Paragraph, ...]:
    """A note on the settings that a table leaves out, if any."""
    text = f"the best {SHOWN} of {count} settings; --format json has all"
    return (Paragraph(text, Tone.QUIET),) if count > SHOWN else ()
