"""Joining finished runs: cells by their settings, and what keeps two runs from being compared at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.grid.settings import IN_EVERY_TABLE
from bench.results.cells import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from bench.results.finished_run import FinishedRun, ScoredCell

SHOWN = 5  # images or cells that a message names
Settings = tuple[tuple[str, Any], ...]


def grouped(side: FinishedRun, by_name: bool) -> dict[Settings, tuple[ScoredCell, ...]]:
    """The cells by all their settings but the seed, seeds in order; the checkpoint's name counts only where asked."""
    groups: dict[Settings, list[ScoredCell]] = {}
    for scored in side.scored:
        left_out = {"seed"} if by_name else {"seed", "checkpoint"}
        key = tuple((name, value) for name, value in scored.cell.settings.items() if name not in left_out)
        groups.setdefault(key, []).append(scored)
    return {key: tuple(sorted(group, key=lambda s: s.cell.trajectory.seed)) for key, group in groups.items()}


def by_checkpoint_name(sides: Iterable[FinishedRun]) -> bool:
    """Whether the names of checkpoints must agree: not where every side has one, whatever it is called."""
    return any(len(side.weights) > 1 for side in sides)


def labels(cells: Sequence[Settings]) -> dict[Settings, str]:
    """Each cell in words: gamma, T, s, and whatever else is not the same in all of them."""
    varied = {name for name in dict(cells[0]) if len({dict(cell).get(name) for cell in cells}) > 1}

    def words(values: dict[str, Any]) -> str:
        rest = [f"{name} {plain(value)}" for name, value in values.items() if name in varied.difference(IN_EVERY_TABLE)]
        return " · ".join([values["gamma"], f"T {values['total_iter']}", f"s {values['sweet_spot']}", *rest])

    return {cell: words(dict(cell)) for cell in cells}


def differences(one: FinishedRun, other: FinishedRun, names: tuple[str, str]) -> Iterator[str]:
    """What makes scores of two runs incomparable, in words; nothing where test set, extractor and metric agree.

    Args:
        one: A run.
        other: Another.
        names: What messages call them.
    """
    yield from _test_set(one, other, names)
    yield from _measurement(one, other, names)


def some(items: Iterable[Any], noun: str) -> str:
    """A count with the first few by name: 7 images (3, 8, 9, 12, 40 and 2 more)."""
    listed = [str(item) for item in items]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"{len(listed)} {noun}{'s' * (len(listed) != 1)} ({', '.join(listed[:SHOWN])}{more})"


def _test_set(one: FinishedRun, other: FinishedRun, names: tuple[str, str]) -> Iterator[str]:
    """How the test sets differ: ids first, then, where the ids agree, bytes."""
    theirs, ours = one.images, other.images
    fresh, gone = theirs.index.difference(ours.index), ours.index.difference(theirs.index)
    if len(fresh):
        yield f"{some(fresh, 'image')} only in {names[0]}"
    if len(gone):
        yield f"{some(gone, 'image')} only in {names[1]}"
    if len(fresh) or len(gone):
        return
    masks = _differing(theirs, ours, "mask_sha256")
    pictures = _differing(theirs, ours, "pixels_sha256").difference(masks)  # the digest covers the mask too
    truth = _differing(theirs, ours, "truth_sha256")
    for name, ids, column in (
        ("mask", masks, "mask_sha256"),
        ("masked picture", pictures, "pixels_sha256"),
        ("original", truth, "truth_sha256"),
    ):
        if len(ids):
            a, b = theirs[column][ids[0]], ours[column][ids[0]]
            yield f"another {name} for {some(ids, 'image')} (sha256 {a[:8]}… and {b[:8]}… for {ids[0]})"


def _differing(theirs: pd.DataFrame, ours: pd.DataFrame, column: str) -> pd.Index:
    return ours.index[(theirs[column].reindex(ours.index) != ours[column]).to_numpy()]


def _measurement(one: FinishedRun, other: FinishedRun, names: tuple[str, str]) -> Iterator[str]:
    """How extractor, quantisation and metric differ."""
    for key in ("name", "fingerprint"):
        a, b = getattr(one.extractor, key), getattr(other.extractor, key)
        if a != b:
            yield f"extractor {key} {a} in {names[0]}, {b} in {names[1]}"
            break  # another extractor has other weights, of course
    for key in ("version", "quantisation"):
        a, b = (getattr(side.run.record.metrics, key) for side in (one, other))
        if a != b or b is None:
            known = ["not recorded" if value is None else value for value in (a, b)]
            yield f"metrics.{key} {known[0]} in {names[0]}, {known[1]} in {names[1]}"
