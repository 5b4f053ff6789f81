"""Confirmation of a selected cell: the candidates for the best decoded again on fresh seeds, and compared on these alone.

The lowest of many scores is lowest partly by luck. Scores of fresh seeds are free of that luck, since nothing was selected by
them. They share the test images with the run, so they do not replace a test on other images.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.errors import IncompleteRunError
from bench.grid.settings import GAMMA_VALUES, setting_names
from bench.report.seeds import AXES_BUT_SEED
from bench.results.cells import CELL_COLUMNS, Cell, read_cell, read_score
from bench.results.folder import open_run
from bench.results.influences import read_influences
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.grid.spec import Spec
    from bench.report.view import View
    from bench.results.folder import RunFolder

FOLDER = "confirm"
MOST_CANDIDATES = 8
NOT_AXES = {"checkpoint", "seed", GAMMA_VALUES.name}


@dataclass(frozen=True)
class Confirmed:
    """A candidate on fresh seeds.

    Attributes:
        cell_id: The cell of the run.
        selected: Its score in the run.
        score: Mean score over the fresh seeds.
        se: Its standard error over images.
        change: That mean minus the same of the run's best cell; negative if it is better.
        change_se: Standard error of the change, paired over images.
    """

    cell_id: str
    selected: float
    score: float
    se: float
    change: float
    change_se: float


@dataclass(frozen=True)
class Confirmation:
    """The candidates on fresh seeds; seeds: these seeds; cells: the best cell of the run first, then by score."""

    seeds: tuple[int, ...]
    cells: tuple[Confirmed, ...]


def candidates(view: View, most: int = MOST_CANDIDATES) -> list[Cell]:
    """The best cell, the recommended one, and the others within noise of the best by score; at most `most`.

    Raises:
        InputError: No cell has a score with an error.
    """
    if view.best is None or view.selection is None or view.answer is None:
        raise InputError(f"{view.record.name}: no scores with errors yet; finish the run first")
    within = [view.cell(entry.cell_id) for entry in view.against_best if entry.within_noise]
    ranked = sorted(within, key=lambda cell: cell.score or 0.0)
    ids = dict.fromkeys([view.best.cell_id, view.answer.cell_id, *(cell.cell_id for cell in ranked)])
    return [view.cell(cell_id) for cell_id in ids][:most]


def confirm(view: View, run: RunFolder, seeds: int, most: int = MOST_CANDIDATES, quiet: bool = False) -> Path:
    """Decode the candidates of a run on fresh seeds, into the folder `confirm` of the run, with the run's store.

    Args:
        view: The run's view.
        run: The run, finished.
        seeds: Number of fresh seeds.
        most: Largest number of candidates.
        quiet: Show no progress.

    Returns:
        The folder, itself a run folder.

    Raises:
        InputError: Nothing to confirm, or the run's inputs are missing or have changed.
        IncompleteRunError: The run is not finished.
    """
    from bench.run.runner import run as drive  # loads torch

    if not run.complete:
        raise IncompleteRunError(f"{run.path}: not finished; the same `maskbench run` command resumes it")
    folder = run.path / FOLDER
    spec = confirmation_spec(run, candidates(view, most), seeds)
    drive(spec, folder, base=run.base, quiet=quiet, replace=True)
    return folder


def confirmation_spec(run: RunFolder, cells: Sequence[Cell], seeds: int) -> Spec:
    """The run's spec with only these cells, on seeds above all of its own; several checkpoints all get every cell."""
    spec = run.spec
    first, *rest = (_axes(cell) for cell in cells)
    fresh = range(max(spec.run.seeds) + 1, max(spec.run.seeds) + 1 + seeds)
    content = spec.model_dump(mode="json")
    content["grid"] = {**first, "include": rest, "exclude": []}
    content["run"] |= {"name": f"{spec.run.name}-{FOLDER}", "seeds": list(fresh)}
    content["throughput"] |= {"checks": 0}
    content["execution"] |= {"store": os.path.relpath(run.store.resolve(), run.base)}
    return type(spec).model_validate(content)


def _axes(cell: Cell) -> dict[str, list[Any]]:
    return {name: [cell.settings[name]] for name in setting_names() if name not in NOT_AXES}


def read_confirmation(run: RunFolder, cells: Sequence[Cell], best: Cell) -> Confirmation | None:
    """The confirmation in a run's folder; None if there is none, or if it is of other weights, data or features."""
    if not (run.path / FOLDER / "run.json").is_file():
        return None
    again = open_run(run.path / FOLDER)
    if not again.complete or _measured(again) != _measured(run):
        return None
    table = again.table("cells", CELL_COLUMNS)
    key = read_score(table, again.record, again.path).key
    fresh: dict[tuple[Any, ...], list[Cell]] = {}
    for row in table.to_pylist():
        cell = read_cell(row, key)
        fresh.setdefault(_setting(cell), []).append(cell)
    if _setting(best) not in fresh:
        return None
    influences = read_influences(again)
    of_best = [cell.cell_id for cell in fresh[_setting(best)]]
    best_score = fmean(cell.score or 0.0 for cell in fresh[_setting(best)])
    rows = []
    for cell in cells:
        if cell.score is None or not (group := fresh.get(_setting(cell))):
            continue
        influence, score = influences.on_mean([c.cell_id for c in group]), fmean(c.score or 0.0 for c in group)
        change_se = influences.se(influence - influences.on_mean(of_best))
        rows.append(Confirmed(cell.cell_id, cell.score, score, influences.se(influence), score - best_score, change_se))
    rows.sort(key=lambda row: (row.cell_id != best.cell_id, row.score))
    return Confirmation(tuple(sorted({cell.seed for group in fresh.values() for cell in group})), tuple(rows))


def _setting(cell: Cell) -> tuple[Any, ...]:
    return tuple(cell.settings[axis] for axis in AXES_BUT_SEED)


def _measured(run: RunFolder) -> tuple[Any, ...]:
    """What two runs must share for their scores to be comparable."""
    weights = {entry.name: entry.fingerprint for entry in run.record.checkpoints}
    return weights, run.record.primary.fingerprint, run.record.data.sha256, run.record.metrics
