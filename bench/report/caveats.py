"""What to distrust in a run: the caveats every report ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.document.text import percent
from bench.results.cells import Cell
from bench.results.record import RunRecord

SPEED_ERROR = 0.10


@dataclass(frozen=True)
class Caveat:
    """One warning: a stable code for programs, and a sentence.

    Codes: skipped, incomplete, unscored, uneven, throughput, run, clean.
    """

    code: str
    text: str


@dataclass(frozen=True)
class CleanScore:
    """The best cell's score on the images that no training folder holds: what it is called, how many, as text."""

    name: str
    n: int
    shown: str


def caveats(record: RunRecord, cells: Sequence[Cell], clean: CleanScore | None) -> tuple[Caveat, ...]:
    """List what the tables themselves give away, then what the run said: few images, a dirty test set, weights."""
    found: list[tuple[str, str]] = []
    if record.skipped:
        found += [("skipped", f"Checkpoint {one.checkpoint} was skipped: {one.reason}") for one in record.skipped]
        text = "This run is incomplete: once that is mended, the same `maskbench run` command adds what is missing."
        found.append(("incomplete", text))
    elif not record.complete:
        found.append(
            ("incomplete", "This run is incomplete: the same `maskbench run` command goes on where it stopped.")
        )
    if missing := sum(cell.score is None for cell in cells):
        found.append(("unscored", f"{missing} of {len(cells)} cells have no score."))
    n_images = {cell.n_images for cell in cells}
    if len(n_images) > 1:
        text = f"Cells hold {min(n_images)} to {max(n_images)} images: scores over different numbers do not compare."
        found.append(("uneven", text))
    checks = record.throughput.checks if record.throughput else ()
    off = max((abs(check.relative_error) for check in checks), default=0.0)
    if off > SPEED_ERROR:
        found.append(("throughput", f"Derived speeds are off by up to {percent(off)} where cells were measured whole."))
    found += [("run", text) for text in record.warnings]
    if clean is not None:
        text = f"On the {clean.n} clean images alone the best cell has {clean.name} {clean.shown}."
        found.append(("clean", f"{text} Fewer images push a distance up: set it against other scores of these alone."))
    return tuple(Caveat(code, text) for code, text in dict.fromkeys(found))
