"""The runs in a folder, in one line each.

schema   1
folder   the folder that was searched
runs     one entry per run: path; name; date when it finished or started; cells; images; best_cell_id, score and score_name
         of the cell with the best score, null before there is one; state: complete, incomplete (checkpoints were skipped),
         unfinished (the same command resumes it), running or damaged; problem: what is wrong with a damaged one
"""

from __future__ import annotations

import datetime
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.document.model import Bullets, Document, Item, Paragraph, Row, Section, Span, Table, Tone
from bench.document.text import significant
from bench.errors import IncompleteRunError
from bench.results.folder import RunFolder, open_run
from bench.results.identity import IDENTITY_FILE, read_identity
from bench.run.lock import is_held
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = 1
DEEPEST = 3  # levels of folders that are searched
MARKS = (IDENTITY_FILE, "run.json", "cells.parquet")
COMPLETE, INCOMPLETE, UNFINISHED, RUNNING, DAMAGED = "complete", "incomplete", "unfinished", "running", "damaged"
TONES = {COMPLETE: Tone.GOOD, DAMAGED: Tone.BAD}


@dataclass(frozen=True)
class ListedRun:
    """One run, as in the document's JSON."""

    path: str
    name: str | None = None
    date: str | None = None
    cells: int | None = None
    images: int | None = None
    best_cell_id: str | None = None
    score: float | None = None
    score_name: str | None = None
    state: str = UNFINISHED
    problem: str | None = None


def run_folders(folder: Path) -> Iterator[Path]:
    """The run folders in a folder, at most `DEEPEST` levels down, in order of name; the folder itself if it is one.

    Raises:
        InputError: There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds runs")
    for where, folders, files in os.walk(folder):
        path = Path(where)
        is_run = any(mark in files for mark in MARKS)
        if is_run:
            yield path
        deep = len(path.relative_to(folder).parts) >= DEEPEST
        folders[:] = [] if is_run or deep else sorted(name for name in folders if not name.startswith("."))


def list_runs(folder: Path) -> list[ListedRun]:
    """The runs in a folder.

    Raises:
        InputError: There is no such folder.
    """
    return [_listed(path) for path in run_folders(folder)]


def _listed(path: Path) -> ListedRun:
    try:
        if is_held(path):
            return _unfinished(path, RUNNING)
        return _finished(open_run(path))
    except IncompleteRunError:
        return _unfinished(path, UNFINISHED)
    except InputError as error:
        return ListedRun(str(path), state=DAMAGED, problem=str(error).removeprefix(f"{path}: "))


def _finished(run: RunFolder) -> ListedRun:
    best = run.best
    return ListedRun(
        path=str(run.path),
        name=run.record.name,
        date=run.record.finished or run.record.created,
        cells=len(run.cells),
        images=run.record.data.n_images,
        best_cell_id=None if best is None else str(best.cell_id),
        score=None if best is None else float(best.score),
        score_name=run.score_name,
        state=COMPLETE if run.complete else INCOMPLETE,
    )


def _unfinished(path: Path, state: str) -> ListedRun:
    identity = read_identity(path)
    if identity is None:
        return ListedRun(str(path), state=state)
    started = datetime.datetime.fromtimestamp((path / IDENTITY_FILE).stat().st_mtime, datetime.UTC)
    return ListedRun(
        path=str(path),
        name=identity.parsed_spec.run.name,
        date=started.isoformat(timespec="seconds"),
        cells=len(identity.plan.cells),
        images=len(identity.images),
        state=state,
    )


def runs_content(folder: Path, runs: list[ListedRun]) -> dict[str, Any]:
    """The list for programs."""
    return {"schema": SCHEMA, "folder": str(folder), "runs": [asdict(run) for run in runs]}


def runs_document(folder: Path, runs: list[ListedRun]) -> Document:
    """The list for people."""
    title = f"{len(runs)} run{'s' * (len(runs) != 1)} in {folder}"
    if not runs:
        return Document(title, (Paragraph("`maskbench run GRID.toml` makes one."),))
    header = ("run", "name", "date", "cells", "images", "best cell", "score", "state")
    problems = tuple(Item(run.problem, run.path, "✗", Tone.BAD) for run in runs if run.problem)
    table = Table(header, tuple(_row(folder, run) for run in runs), right=(3, 4))
    return Document(title, (table, Section("Damage", (Bullets(problems),))) if problems else (table,))


def _row(folder: Path, run: ListedRun) -> Row:
    path = os.path.relpath(run.path, folder)
    score = "–" if run.score is None else f"{run.score_name} {significant(run.score, 4)}"
    counts = ["–" if number is None else f"{number:,}" for number in (run.cells, run.images)]
    date = (run.date or "–")[:16].replace("T", " ")
    state = Span(run.state, tone=TONES.get(run.state, Tone.WARNING))
    return (path, run.name or "–", date, *counts, run.best_cell_id or "–", score, state)
