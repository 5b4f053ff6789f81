"""Reference rows: scores for comparison with the cells', such as the tokenizer reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.document.text import number

if TYPE_CHECKING:
    import pyarrow as pa

    from bench.results.cells import Score

REFERENCE_COLUMNS = ("reference", "checkpoint", "compose", "features", "metric", "subset", "value", "se")
FLOOR = "tokenizer_floor"  # the ground truth's own tokens, decoded
LABELS = {
    FLOOR: "tokenizer reconstruction",
    "oracle_filling": "oracle filling",  # the ground truth's tokens in the hole, those of the masked image around it
    "one_shot": "one-shot decoding",  # T = 1
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
