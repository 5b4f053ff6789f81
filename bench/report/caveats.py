"""Caveats of a run, to read before quoting a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.document.text import clean, percent
from bench.grid.settings import GAMMA_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.results.cells import Cell
    from bench.results.record import RunRecord

SPEED_ERROR = 0.10


@dataclass(frozen=True)
class Caveat:
    """One caveat.

    Attributes:
        code: Stable, for programs: skipped, incomplete, unscored, uneven, throughput, run, clean, reading or code.
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
        text: The score.
    """

    name: str
    n: int
    text: str


def caveats(record: RunRecord, cells: Sequence[Cell], clean: CleanScore | None) -> tuple[Caveat, ...]:
    """All caveats, each once: those that the tables show, then those that the run recorded."""
    return tuple(
        dict.fromkeys(
            [
                *_of_progress(record, cells),
                *_of_speed(record),
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


def _of_test_set(record: RunRecord, clean: CleanScore | None) -> Iterator[Caveat]:
    for text in record.warnings:
        yield Caveat("run", text)
    if clean is not None:
        text = f"On the {clean.n} clean images alone the best cell has {clean.name} {clean.text}."
        yield Caveat("clean", f"{text} Fewer images raise a distance: compare it only with scores on the same images.")
