"""What a gate compares, and when it refuses: cells joined on their settings, over one test set and one extractor.

Weights and code may differ, that is the point. A difference of two scores means something only if the images, masks,
originals, extractor, quantisation and metric are the same on both sides, and if both sides have the same seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import NotComparableError
from bench.gate.evaluated import Evaluated, Scored
from bench.plan import matches
from bench.report.cells import plain
from bench.spec import Axes
from maskgit.errors import InputError

SHOWN = 5  # images or cells that a message names
SHOWN_FIRST = {"gamma", "total_iter", "sweet_spot"}
TRUTH_TOLERANCE = 0.01  # of the originals' features; half precision and another machine stay below 0.002
Settings = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Pair:
    """A cell of the gate: its name, its settings without the seed, and both sides' rows, one a seed in equal order."""

    name: str
    settings: dict[str, Any]
    baseline: tuple[Scored, ...]
    candidate: tuple[Scored, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(scored.cell.trajectory.seed for scored in self.baseline)


def pair_cells(candidate: Evaluated, baseline: Evaluated, choices: Sequence[str | Axes]) -> list[Pair]:
    """Join the baseline's chosen cells with the candidate's.

    Args:
        candidate: The run in question.
        baseline: What it is measured against.
        choices: "all", cell ids of the baseline, and tables of settings. A cell is gated if any of them names it, with
            all its seeds.

    Raises:
        InputError: A choice that names no cell of the baseline.
        NotComparableError: What differs between the two sides.
    """
    differences = list(_test_set(candidate, baseline)) + list(_measurement(candidate, baseline))
    by_name = len(candidate.weights) > 1 or len(baseline.weights) > 1
    theirs, ours = _grouped(candidate, by_name), _grouped(baseline, by_name)
    gated = _chosen(ours, choices, baseline)
    label = _labels([*ours, *theirs])
    missing = [settings for settings in gated if settings not in theirs]
    if missing:
        differences.append(f"{_some((label[s] for s in missing), 'baseline cell')} missing in the candidate")
    differences += [
        f"cell {label[settings]} has seeds {_seeds(theirs[settings])} in the candidate, {_seeds(ours[settings])} in the "
        "baseline"
        for settings in gated
        if settings in theirs and _seeds(theirs[settings]) != _seeds(ours[settings])
    ]
    if differences:
        raise _refusal(candidate, baseline, "; ".join(differences))
    names = _labels(gated)
    return [Pair(names[settings], dict(settings), ours[settings], theirs[settings]) for settings in gated]


def require_same_truth(candidate: Evaluated, baseline: Evaluated, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Refuse two sides whose extractors see different features (N, D) in the same originals.

    Raises:
        NotComparableError: They differ by more than rounding.
    """
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    apart = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    if not apart <= TRUTH_TOLERANCE:
        raise _refusal(
            candidate,
            baseline,
            f"the same originals have features that are {100 * apart:.1f} % apart, so the extractor computes otherwise",
        )


def extra_cells(candidate: Evaluated, baseline: Evaluated, pairs: Sequence[Pair]) -> int:
    """Cells of the candidate, seeds not counted, that no pair holds."""
    by_name = len(candidate.weights) > 1 or len(baseline.weights) > 1
    return len(_grouped(candidate, by_name)) - len(pairs)


def _refusal(candidate: Evaluated, baseline: Evaluated, why: str) -> NotComparableError:
    return NotComparableError(
        f"{candidate.path} cannot be compared with {baseline.path}: {why}; run both on one test set with one extractor and "
        "one version of maskbench, or save a new baseline"
    )


def _test_set(candidate: Evaluated, baseline: Evaluated) -> Iterator[str]:
    """How the test sets differ: ids first, then, where the ids agree, bytes."""
    theirs, ours = candidate.images, baseline.images
    fresh, gone = theirs.index.difference(ours.index), ours.index.difference(theirs.index)
    if len(fresh):
        yield f"{_some(fresh, 'image')} only in the candidate"
    if len(gone):
        yield f"{_some(gone, 'image')} only in the baseline"
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
            yield f"another {name} for {_some(ids, 'image')} (sha256 {a[:8]}… and {b[:8]}… for {ids[0]})"


def _differing(theirs: pd.DataFrame, ours: pd.DataFrame, column: str) -> pd.Index:
    return ours.index[(theirs[column].reindex(ours.index) != ours[column]).to_numpy()]


def _measurement(candidate: Evaluated, baseline: Evaluated) -> Iterator[str]:
    """How extractor, quantisation and metric differ."""
    for name in ("name", "fingerprint"):
        a, b = candidate.extractor[name], baseline.extractor[name]
        if a != b:
            yield f"extractor {name} {a} in the candidate, {b} in the baseline"
            break  # another extractor has other weights, of course
    for key in ("version", "quantisation"):
        a, b = (side.run.record.get("metrics", {}).get(key, "not recorded") for side in (candidate, baseline))
        if a != b or b == "not recorded":
            yield f"metrics.{key} {a} in the candidate, {b} in the baseline"


def _labels(cells: Sequence[Settings]) -> dict[Settings, str]:
    """Each cell in words: gamma, T, s, and whatever else is not the same in all of them."""
    varied = {name for name in dict(cells[0]) if len({dict(cell).get(name) for cell in cells}) > 1}

    def words(values: dict[str, Any]) -> str:
        rest = [f"{name} {plain(value)}" for name, value in values.items() if name in varied - SHOWN_FIRST]
        return " · ".join([values["gamma"], f"T {values['total_iter']}", f"s {values['sweet_spot']}", *rest])

    return {cell: words(dict(cell)) for cell in cells}


def _grouped(side: Evaluated, by_name: bool) -> dict[Settings, tuple[Scored, ...]]:
    """The cells by all their settings but the seed, seeds in order; the checkpoint's name counts only where asked."""
    groups: dict[Settings, list[Scored]] = {}
    for scored in side.scored:
        left_out = {"seed"} if by_name else {"seed", "checkpoint"}
        key = tuple((name, value) for name, value in scored.cell.settings.items() if name not in left_out)
        groups.setdefault(key, []).append(scored)
    return {key: tuple(sorted(group, key=lambda s: s.cell.trajectory.seed)) for key, group in groups.items()}


def _chosen(
    groups: dict[Settings, tuple[Scored, ...]], choices: Sequence[str | Axes], baseline: Evaluated
) -> list[Settings]:
    """Settings of the cells that any choice names, in the baseline's order."""
    chosen: set[Settings] = set()
    for choice in choices:
        named = {key for key, group in groups.items() if any(_names(choice, scored) for scored in group)}
        if not named:
            text = choice if isinstance(choice, str) else choice.model_dump(exclude_none=True)
            raise InputError(f"gate.cells: {text} names no cell of the baseline {baseline.path}; see its cells.parquet")
        chosen |= named
    return [key for key in groups if key in chosen]


def _names(choice: str | Axes, scored: Scored) -> bool:
    if isinstance(choice, str):
        return choice in ("all", scored.cell.cell_id)
    return matches(scored.cell, choice)


def _seeds(group: Sequence[Scored]) -> str:
    return ", ".join(str(scored.cell.trajectory.seed) for scored in group)


def _some(items: Iterable[Any], noun: str) -> str:
    """A count with the first few by name: 7 images (3, 8, 9, 12, 40 and 2 more)."""
    names = [str(item) for item in items]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {noun}{'s' * (len(names) != 1)} ({', '.join(names[:SHOWN])}{more})"
