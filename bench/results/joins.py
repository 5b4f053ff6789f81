"""Joins of finished runs: cells by their settings, and the differences that make two runs incomparable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.grid.settings import GAMMA_VALUES, IN_EVERY_TABLE
from bench.results.cells import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from bench.results.finished_run import FinishedRun, ScoredCell

NAMED = 5  # images or cells that a message names
Settings = tuple[tuple[str, Any], ...]


def grouped(side: FinishedRun, by_name: bool) -> dict[Settings, tuple[ScoredCell, ...]]:
    """The cells by all settings except the seed, in order of seed; the checkpoint's name counts only if `by_name`.

    The user's own code may differ, as weights may: a gamma function of theirs counts by its name, not by its values.
    """
    groups: dict[Settings, list[ScoredCell]] = {}
    for scored in side.scored:
        ignored = {"seed", GAMMA_VALUES.name} if by_name else {"seed", GAMMA_VALUES.name, "checkpoint"}
        key = tuple((name, value) for name, value in scored.cell.settings.items() if name not in ignored)
        groups.setdefault(key, []).append(scored)
    return {key: tuple(sorted(group, key=lambda s: s.cell.trajectory.seed)) for key, group in groups.items()}


def by_checkpoint_name(sides: Iterable[FinishedRun]) -> bool:
    """True if the names of checkpoints must agree: if any side has more than one."""
    return any(len(side.weights) > 1 for side in sides)


def labels(cells: Sequence[Settings]) -> dict[Settings, str]:
    """Text for each cell: gamma, T, s, and every other setting that varies between the cells."""
    varied = {name for name in dict(cells[0]) if len({dict(cell).get(name) for cell in cells}) > 1}

    def words(values: dict[str, Any]) -> str:
        rest = [f"{name} {plain(value)}" for name, value in values.items() if name in varied.difference(IN_EVERY_TABLE)]
        return " · ".join([values["gamma"], f"T {values['total_iter']}", f"s {values['sweet_spot']}", *rest])

    return {cell: words(dict(cell)) for cell in cells}


def differences(first: FinishedRun, second: FinishedRun, names: tuple[str, str]) -> Iterator[str]:
    """Differences that make the scores of two runs incomparable, as text; none if test set, extractor and metric agree.

    Args:
        first: A run.
        second: Another run.
        names: Their names in messages.
    """
    yield from _test_set(first, second, names)
    yield from _measurement(first, second, names)


def some(items: Iterable[Any], noun: str) -> str:
    """A count and the names of the first few: 7 images (3, 8, 9, 12, 40 and 2 more)."""
    listed = [str(item) for item in items]
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return f"{len(listed)} {noun}{'s' * (len(listed) != 1)} ({', '.join(listed[:NAMED])}{more})"


def _test_set(first: FinishedRun, second: FinishedRun, names: tuple[str, str]) -> Iterator[str]:
    """Differences of the test sets: ids first, then, if the ids agree, bytes."""
    a, b = first.images, second.images
    only_a, only_b = a.index.difference(b.index), b.index.difference(a.index)
    if len(only_a):
        yield f"{some(only_a, 'image')} only in {names[0]}"
    if len(only_b):
        yield f"{some(only_b, 'image')} only in {names[1]}"
    if len(only_a) or len(only_b):
        return
    masks = _differing(a, b, "mask_sha256")
    masked = _differing(a, b, "pixels_sha256").difference(masks)  # the digest covers the mask too
    truth = _differing(a, b, "truth_sha256")
    for name, ids, column in (
        ("mask", masks, "mask_sha256"),
        ("masked image", masked, "pixels_sha256"),
        ("original", truth, "truth_sha256"),
    ):
        if len(ids):
            digest_a, digest_b = a[column][ids[0]], b[column][ids[0]]
            yield f"another {name} for {some(ids, 'image')} (sha256 {digest_a[:8]}… and {digest_b[:8]}… for {ids[0]})"


def _differing(a: pd.DataFrame, b: pd.DataFrame, column: str) -> pd.Index:
    """Ids of `b` whose values in a column differ."""
    return b.index[(a[column].reindex(b.index) != b[column]).to_numpy()]


def _measurement(first: FinishedRun, second: FinishedRun, names: tuple[str, str]) -> Iterator[str]:
    """Differences of extractor, quantisation and metric version."""
    for key in ("name", "fingerprint"):
        a, b = getattr(first.extractor, key), getattr(second.extractor, key)
        if a != b:
            yield f"extractor {key} {a} in {names[0]}, {b} in {names[1]}"
            break  # a different extractor always has different weights
    for key in ("version", "quantisation"):
        a, b = (getattr(side.run.record.metrics, key) for side in (first, second))
        if a != b or b is None:
            values = ["not recorded" if value is None else value for value in (a, b)]
            yield f"metrics.{key} {values[0]} in {names[0]}, {values[1]} in {names[1]}"
