"""Caveats of a run, to read before quoting a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.document.text import clean, percent
from bench.grid.settings import GAMMA_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.report.one_step import OneStep
    from bench.results.cells import Cell, Score
    from bench.results.record import RunRecord

SPEED_ERROR = 0.10


@dataclass(frozen=True)
class Caveat:
    """One caveat.

    Attributes:
        code: Stable, for programs: skipped, incomplete, unscored, uneven, throughput, one_step, pixels, chance, run, clean,
            reading or code.
        text: A sentence.
    """

    code: str
    text: str


@dataclass(frozen=True)
class CleanScore:
    """The best cell's score on the images that no training folder holds.

    Attributes:
        name: Name of the score.
        n: Number of images.
        distinct: Number of different ones; None if unknown.
        text: The score.
        rank: Place of that score among all cells', from 1.
        cells: Number of cells.
    """

    name: str
    n: int
    distinct: int | None
    text: str
    rank: int
    cells: int


def caveats(
    record: RunRecord, cells: Sequence[Cell], clean: CleanScore | None, one_step: OneStep | None, metric: Score
) -> tuple[Caveat, ...]:
    """All caveats, each once: those that the tables show, then those that the run recorded."""
    return tuple(
        dict.fromkeys(
            [
                *_of_progress(record, cells),
                *_of_speed(record),
                *_of_decoding(one_step, metric),
                *_of_chance(record, cells),
                *_of_test_set(record, clean),
                *_of_reading(record),
                *_of_gammas(cells),
            ]
        )
    )


def _of_reading(record: RunRecord) -> Iterator[Caveat]:
    for checkpoint in record.checkpoints:
        for line in checkpoint.reading:
            yield Caveat("reading", f"{checkpoint.name} was read as follows: {line}.")


def _of_gammas(cells: Sequence[Cell]) -> Iterator[Caveat]:
    for cell in cells:
        if cell.settings[GAMMA_VALUES.name]:
            yield Caveat("code", f"{clean(cell.gamma)} is the user's own code: its values at every step were used.")


def _of_progress(record: RunRecord, cells: Sequence[Cell]) -> Iterator[Caveat]:
    for skipped in record.skipped:
        yield Caveat("skipped", f"Checkpoint {skipped.checkpoint} was skipped: {skipped.reason}")
    if record.skipped:
        text = "This run is incomplete: once that is fixed, the same `maskbench run` command adds what is missing."
        yield Caveat("incomplete", text)
    elif not record.complete:
        yield Caveat("incomplete", "This run is incomplete: the same `maskbench run` command resumes it.")
    if missing := sum(cell.score is None for cell in cells):
        yield Caveat("unscored", f"{missing} of {len(cells)} cells have no score.")
    n_images = {cell.n_images for cell in cells}
    if len(n_images) > 1:
        text = (
            f"Cells have {min(n_images)} to {max(n_images)} images: scores over different numbers are not comparable."
        )
        yield Caveat("uneven", text)


def _of_speed(record: RunRecord) -> Iterator[Caveat]:
    checks = record.throughput.checks if record.throughput else ()
    error = max((abs(check.relative_error) for check in checks), default=0.0)
    if error > SPEED_ERROR:
        text = f"Derived speeds are off by up to {percent(error)} in the cells that were measured end to end."
        yield Caveat("throughput", text)


def _of_decoding(one_step: OneStep | None, metric: Score) -> Iterator[Caveat]:
    """Whether more than one step pays, and what it costs in pixels."""
    if one_step is None:
        return
    if one_step.within_noise:
        above = f"within noise of the best cell ({metric.show(one_step.change, one_step.change_se)} above it)"
        text = (
            f"Iterating does not pay here: one step is {above if one_step.change else 'the best cell'}, so no cell beats "
            "one-shot decoding by more than noise."
        )
        yield Caveat("one_step", text)
    elif one_step.further_from_truth:
        text = (
            f"The best cell is further from the ground truth than one step is: {one_step.pixels}. {metric.column} rewards "
            "plausible texture, not closeness; the distance alone is not quality."
        )
        yield Caveat("pixels", text)


def _of_chance(record: RunRecord, cells: Sequence[Cell]) -> Iterator[Caveat]:
    """Checkpoints whose predictions are worse than guessing among the codes."""
    for checkpoint in record.checkpoints:
        known = (cell.truth_nll_nats for cell in cells if cell.checkpoint == checkpoint.name)
        nats = next((value for value in known if value is not None), None)
        if nats is not None and checkpoint.codes and nats > math.log(checkpoint.codes):
            text = (
                f"{clean(checkpoint.name)} reads worse than chance: NLL of the ground-truth tokens {nats:.2f} nats per "
                f"token, guessing among {checkpoint.codes} codes gives {math.log(checkpoint.codes):.2f}. Check its "
                "weights and how they were read (docs/checkpoints.md)."
            )
            yield Caveat("chance", text)


def _of_test_set(record: RunRecord, score: CleanScore | None) -> Iterator[Caveat]:
    for text in record.warnings:
        yield Caveat("run", text)
    if score is not None:
        distinct = f" ({score.distinct} distinct)" if score.distinct not in (None, score.n) else ""
        rank = f", number {score.rank} of {score.cells} cells" if score.cells > 1 else ""
        text = f"On the {score.n} clean images{distinct} alone the best cell has {score.name} {score.text}{rank}."
        yield Caveat("clean", f"{text} Fewer images raise a distance: compare it only with scores on the same images.")
