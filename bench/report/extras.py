"""What a view holds beside its cells, where the run has it: reference rows and the images that weigh most."""

from __future__ import annotations

from dataclasses import dataclass

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
