"""Reference rows: scores for comparison with the cells', such as the tokenizer reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.document.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from bench.results.cells import Cell, Score

REFERENCE_COLUMNS = ("reference", "checkpoint", "compose", "features", "metric", "subset", "value", "se")
FLOOR = "tokenizer_floor"  # the ground truth's own tokens, decoded
ONE_SHOT = "one_shot"  # T = 1
LABELS = {
    FLOOR: "tokenizer reconstruction",
    "oracle_filling": "oracle filling",  # the ground truth's tokens in the hole, those of the masked image around it
    ONE_SHOT: "one-shot decoding",
    "masked_input": "masked input",
    "telea": "Telea inpainting",
}
KEEP_KNOWN_PIXELS = ("masked_input", "telea")
"""References with exact known pixels: they are comparable only with cells of compose = paste."""


@dataclass(frozen=True)
class Reference:
    """A reference row.

    Attributes:
        name: A key of LABELS, or another name.
        checkpoint: The checkpoint it applies to; None: all.
        compose: The composition it applies to; None: all.
        score: Its score.
        score_se: Standard error over images.
    """

    name: str
    checkpoint: str | None
    compose: str | None
    score: float | None
    score_se: float | None = None

    @property
    def keeps_known_pixels(self) -> bool:
        """True if its known pixels are exact."""
        return self.name in KEEP_KNOWN_PIXELS

    def applies_to(self, cell: Cell) -> bool:
        """True if the row has the checkpoint and the composition of a cell; exact known pixels are as good as pasted ones."""
        compose = "paste" if self.keeps_known_pixels else self.compose
        return self.checkpoint in (None, cell.checkpoint) and compose in (None, cell.compose)


def reference_label(reference: Reference, metric: Score) -> str:
    """The name of a row in reports: `tokenizer reconstruction (rFID floor)`."""
    label = LABELS.get(reference.name, reference.name)
    return f"{label} (r{metric.label} floor)" if reference.name == FLOOR else label


def read_references(table: pa.Table, features: str) -> tuple[Reference, ...]:
    """The reference rows of a run, by the Fréchet distance of one extractor over all images."""
    selected = {"features": features, "metric": "frechet_distance", "subset": "all"}
    return tuple(
        Reference(row["reference"], row["checkpoint"], row["compose"], number(row["value"]), number(row["se"]))
        for row in table.to_pylist()
        if all(row[name] == value for name, value in selected.items())
    )


def reference_score(references: Sequence[Reference], name: str, cell: Cell) -> float | None:
    """Score of the reference row that has a cell's checkpoint and composition; None if there is none."""
    for row in references:
        if row.name == name and row.applies_to(cell):
            return row.score
    return None


def span_of(references: Sequence[Reference], cell: Cell) -> float | None:
    """Score of one-shot decoding minus the rFID floor: all that decoding can gain; None if unknown or not above 0."""
    floor, one_shot = (reference_score(references, name, cell) for name in (FLOOR, ONE_SHOT))
    return one_shot - floor if floor is not None and one_shot is not None and one_shot > floor else None
