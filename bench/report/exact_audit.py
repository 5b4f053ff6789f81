"""Exact copies that a run's own audit of its test set found, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

AUDIT_COLUMNS = ("image_id", "copy_of", "in_training")


@dataclass(frozen=True)
class ExactAudit:
    """Exact copies of test images.

    Attributes:
        copy_of: The first test image with the same pixels, for every test image.
        in_training: Ids of the images that are in a training folder; None: no training folder was given.
    """

    copy_of: dict[int, int] = field(default_factory=dict)
    in_training: tuple[int, ...] | None = None

    @property
    def copies(self) -> dict[int, int]:
        """Images that repeat an earlier one, each with that earlier image."""
        return {image: first for image, first in self.copy_of.items() if image != first}

    @property
    def distinct_clean(self) -> int | None:
        """Number of different images that are in no training folder; None if no training folder was given."""
        if self.in_training is None:
            return None
        return len({first for image, first in self.copy_of.items() if image not in set(self.in_training)})


def read_audit(test_set: pa.Table) -> ExactAudit:
    """The findings in test_set.parquet."""
    image_ids, first, in_training = (test_set[name].to_pylist() for name in AUDIT_COLUMNS)
    was_asked = bool(in_training) and None not in in_training
    overlap = tuple(image for image, is_in in zip(image_ids, in_training, strict=True) if is_in) if was_asked else None
    return ExactAudit(dict(zip(image_ids, first, strict=True)), overlap)
