"""What a view holds beside its cells, where the run has it: reference rows and the images that weigh most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from bench.document.text import number

REFERENCE_COLUMNS = ("reference", "checkpoint", "compose", "features", "metric", "subset", "value", "se")
AUDIT_COLUMNS = ("image_id", "copy_of", "in_training")
SHOWN = 8  # influential images

REFERENCES = {
    "tokenizer_floor": "tokenizer's floor",  # the ground truth's own tokens, decoded
    "one_shot": "one-shot decoding",  # T = 1
    "masked_input": "masked input",
    "telea": "Telea inpainting",
}


@dataclass(frozen=True)
class Reference:
    """A row to read scores against: a key of REFERENCES, or a name of its own; None: not bound to any one.

    score_se is its standard error over images.
    """

    name: str
    checkpoint: str | None
    compose: str | None
    score: float | None
    score_se: float | None = None

    @property
    def words(self) -> str:
        """The name as a person reads it."""
        return REFERENCES.get(self.name, self.name)


@dataclass(frozen=True)
class Influence:
    """How much one image moves the score of a cell: about what leaving it out would take off, in the score's units.

    copy_of: the first image with the same ground truth, itself where there is none before it; None: not known.
    """

    cell_id: str
    image_id: int
    influence: float
    copy_of: int | None = None


@dataclass(frozen=True)
class ExactAudit:
    """What a run's own audit found, pixel by pixel.

    copy_of: image_id -> the first test image of the same picture, for every test image; in_training: image ids that stand in
    a training folder; None: there was none to look into.
    """

    copy_of: dict[int, int] = field(default_factory=dict)
    in_training: tuple[int, ...] | None = None

    @property
    def copies(self) -> dict[int, int]:
        """Those images that repeat an earlier one, with that one."""
        return {image: first for image, first in self.copy_of.items() if image != first}


def read_audit(test_set: pa.Table) -> ExactAudit:
    """The findings that test_set.parquet holds."""
    image_ids, first, in_training = (test_set[name].to_pylist() for name in AUDIT_COLUMNS)
    asked = bool(in_training) and None not in in_training
    found = tuple(i for i, there in zip(image_ids, in_training, strict=True) if there) if asked else None
    return ExactAudit(dict(zip(image_ids, first, strict=True)), found)


def read_references(table: pa.Table, features: str) -> tuple[Reference, ...]:
    """The reference rows of a run, by the Fréchet distance of one extractor over all images."""
    wanted = {"features": features, "metric": "frechet_distance", "subset": "all"}
    return tuple(
        Reference(row["reference"], row["checkpoint"], row["compose"], number(row["value"]), number(row["se"]))
        for row in table.to_pylist()
        if all(row[name] == value for name, value in wanted.items())
    )


def most_influential(images: pa.Table, cell_id: str, copy_of: Mapping[int, int]) -> tuple[Influence, ...]:
    """The images of a cell that move its score the most, either way; leaving one out takes about influence / N off."""
    own = images.filter(pc.equal(images["cell_id"], cell_id)).to_pylist()
    first = sorted(own, key=lambda row: (-abs(row["influence"]), row["image_id"]))[:SHOWN]
    return tuple(
        Influence(cell_id, row["image_id"], row["influence"] / len(own), copy_of.get(row["image_id"])) for row in first
    )
