"""Choose the reading of an attention from its names, the user's declarations and a measurement on the user's images.

A declaration is used, or refused if the images clearly contradict it. A fused matrix's row order is declared, or
conventional for its name, or measured; otherwise the user is asked for it. With images, every row order and every named
variant of the arithmetic is compared: a wrong one may still predict better than token frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from maskgit.checkpoints.attention import Reading
from maskgit.checkpoints.declared import ORDERS, Declared
from maskgit.checkpoints.evidence import Nats, clearly_lower, reads
from maskgit.config import STANDARD, VARIANTS
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

    from maskgit.checkpoints.attention_names import Layout

SCREENED = 8
"""Number of images on which all readings are measured; those that could win are then measured on all images."""


@dataclass(frozen=True)
class Decision:
    """A reading, how it was decided, in words, and caveats for the report."""

    reading: Reading
    decided_by: str
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """Cross-entropy of readings, measured on demand, and of the token frequencies on the same images.

    `measure` takes a reading and the number of images to measure it on, counted from the first.
    """

    measure: Callable[[Reading, int], Nats]
    frequencies: Nats

    def compare(self, layout: Layout, declared: Declared) -> dict[Reading, Nats]:
        """Measure the candidate readings on all images.

        Candidates are the row orders under the declared or standard arithmetic, and all other readings that do better
        than the best of these on the first `SCREENED` images.
        """
        all_images = len(self.frequencies)
        scores = {
            reading: self.measure(reading, all_images) for reading in _orders(layout, declared.variant or STANDARD)
        }
        limit = scores[_best(scores)][:SCREENED].mean()
        for reading in readings(layout):
            if reading not in scores and self.measure(reading, SCREENED).mean() < limit:
                scores[reading] = self.measure(reading, all_images)
        return scores

    def winner(self, scores: dict[Reading, Nats]) -> Reading | None:
        """The reading that predicts better than the frequencies and clearly better than every other reading, if any."""
        best = _best(scores)
        clear = all(self.beats(best, reading, scores) for reading in scores if reading is not best)
        return best if clear and reads(scores[best], self.frequencies) else None

    def beats(self, first: Reading, second: Reading, scores: dict[Reading, Nats]) -> bool:
        """True if the first reading predicts better than the frequencies and clearly better than the second."""
        return clearly_lower(scores[first], scores[second]) and reads(scores[first], self.frequencies)

    def numbers(self, scores: dict[Reading, Nats]) -> str:
        """The best four readings and the frequencies, in one line."""
        ranked = sorted(scores.items(), key=lambda item: float(item[1].mean()))[:4]
        parts = [f"{reading.settings}: {nats.mean():.2f}" for reading, nats in ranked]
        parts.append(f"token frequencies: {self.frequencies.mean():.2f}")
        return f"{'; '.join(parts)} nats per token on {len(self.frequencies)} images"


def unmeasured(layout: Layout, declared: Declared) -> Decision | None:
    """Choose the reading from names and declarations alone; None if they leave the row order open."""
    by = ["attention_keys"] if declared.keys else ["names"]
    order = declared.order if layout.fused else None
    caveats: tuple[str, ...] = ()
    if layout.fused and order is None:
        if not layout.conventional:
            return None
        order = "qkv"
        by.append(f"row order {order} by the convention of the name {layout.fused.name}")
        caveats = (_unconfirmed(layout.fused.name),)
    elif layout.fused:
        by.append("row order declared")
    if declared.variant:
        by.append("variant declared")
    return Decision(Reading(layout, order, declared.variant or STANDARD), ", ".join(by), caveats)


def decide(layout: Layout, declared: Declared, measurement: Measurement | None, file: str) -> Decision:
    """Choose the reading to decode with.

    Args:
        layout: The layout that the names give.
        declared: The user's declarations.
        measurement: On the user's images, if there are any.
        file: Named in errors.

    Raises:
        CheckpointError: the row order is open, or the declared reading is clearly worse than another.
    """
    if declared.order and layout.fused is None:
        raise CheckpointError(f"{file}: order = {declared.order!r}: its q, k and v are not fused; leave out order")
    default = unmeasured(layout, declared)
    if measurement is None:
        if default is None:
            raise CheckpointError(_open_order(layout, file, "nothing measured it"))
        return default
    scores = measurement.compare(layout, declared)
    winner = measurement.winner(scores)
    numbers = measurement.numbers(scores)
    if winner is None:
        if default is None:
            raise CheckpointError(_open_order(layout, file, numbers))
        if measurement.beats(_best(scores), default.reading, scores):
            raise CheckpointError(
                f"{file}: {default.reading.settings} reads clearly worse than {_best(scores).settings}, which is not clearly "
                f"the best either ({numbers}); say in [model] which order and variant its author wrote"
            )
        return replace(default, decided_by=f"{default.decided_by}; not confirmed by measurement ({numbers})")
    if default is None or winner != default.reading:
        return _measured(winner, default, declared, numbers, file)
    return Decision(winner, f"{default.decided_by}; confirmed by measurement ({numbers})")


def _measured(winner: Reading, default: Decision | None, declared: Declared, numbers: str, file: str) -> Decision:
    """The measured reading, unless the user declared another one."""
    for key, stated, measured in (
        ("order", declared.order, winner.order),
        ("variant", declared.variant, winner.variant),
    ):
        if stated is not None and stated != measured:
            raise CheckpointError(
                f"{file}: {key} = {stated!r} reads clearly worse than {measured!r} ({numbers}); write {key} = {measured!r}"
            )
    caveats: tuple[str, ...] = ()
    if default is not None:
        caveats = (
            (
                f"{file} was read with {winner.settings} as measured, not with {default.reading.settings} as its names "
                f"suggest ({numbers})."
            ),
        )
    return Decision(winner, f"measurement ({numbers})", caveats)


def readings(layout: Layout) -> list[Reading]:
    """All readings of a layout: every row order with every variant."""
    return [reading for variant in VARIANTS for reading in _orders(layout, variant)]


def _best(scores: dict[Reading, Nats]) -> Reading:
    return min(scores, key=lambda reading: float(scores[reading].mean()))


def _orders(layout: Layout, variant: str) -> list[Reading]:
    return [Reading(layout, order, variant) for order in (ORDERS if layout.fused else (None,))]


def _unconfirmed(name: str) -> str:
    return (
        f"The row order of {name} was taken to be q, then k, then v, as its name suggests, and no measurement confirmed it; "
        'if its author wrote it head by head, say order = "heads".'
    )


def _open_order(layout: Layout, file: str, why: str) -> str:
    assert layout.fused
    return (
        f'{file}: the row order of {layout.fused.name} is open ({why}); say in [model] order = "qkv" ({ORDERS["qkv"]}) '
        f'or order = "heads" ({ORDERS["heads"]})'
    )
