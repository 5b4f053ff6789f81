"""A finished run, one side of a gate: its cells and their features, read from its store or from a saved baseline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, cast

from safetensors import SafetensorError, safe_open

from bench.document.text import clean, number
from bench.errors import IncompleteRunError
from bench.grid.plan import Cell, cell_of
from bench.grid.settings import setting_names
from bench.metrics.naming import distance_column
from bench.results.declared import require_declared
from bench.results.folder import RunFolder, open_run
from bench.results.stored import cell_features, open_stored, truth_features
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from bench.results.record import Features

CELL_COLUMNS = ("cell_id", *setting_names(), "images_per_s")
IMAGE_COLUMNS = ("image_id", "copy_of", "mask_sha256", "pixels_sha256", "truth_sha256")
FEATURES_FILE = "features.safetensors"
TRUTH = "truth"  # name of the tensor of the originals' features; the others are named by cell id


@dataclass(frozen=True)
class ScoredCell:
    """A cell with its id in the tables, its score (lower is better) and its speed."""

    cell: Cell
    cell_id: str
    score: float
    images_per_s: float


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, or a baseline saved from one (which has a file of features instead of a store)."""

    run: RunFolder

    @property
    def path(self) -> Path:
        """The folder."""
        return self.run.path

    @property
    def extractor(self) -> Features:
        """The primary extractor."""
        return self.run.record.primary

    @property
    def weights(self) -> dict[str, str]:
        """Fingerprint of each checkpoint, by name."""
        return {entry.name: entry.fingerprint for entry in self.run.record.checkpoints}

    @property
    def reference_ms(self) -> float | None:
        """Time of the reference workload in this run, in milliseconds."""
        return self.run.record.throughput.reference_ms if self.run.record.throughput else None

    @property
    def precision(self) -> str | None:
        """Precision of the networks; None in runs of earlier versions that did not record it."""
        return self.run.record.numerics.precision if self.run.record.numerics else None

    @property
    def saved(self) -> bool:
        """True if it is a saved baseline."""
        return (self.path / FEATURES_FILE).is_file()

    def require_intact_features(self) -> None:
        """Check a baseline's file of features against its hash, once.

        Raises:
            InputError: It was edited or damaged.
        """
        return self._features_checked

    @cached_property
    def _features_checked(self) -> None:
        self.run.content(FEATURES_FILE)

    @cached_property
    def images(self) -> pd.DataFrame:
        """The test set, one row per image in order of image id, which is also the order of all features."""
        return cast(
            "pd.DataFrame",
            self.run.table("test_set", IMAGE_COLUMNS).to_pandas().sort_values("image_id").set_index("image_id"),
        )

    @cached_property
    def scored(self) -> tuple[ScoredCell, ...]:
        """The cells, in the order of their table."""
        score = distance_column(self.extractor.label)
        rows = self.run.table("cells", (*CELL_COLUMNS, score)).to_pylist()
        if not rows:
            raise InputError(f"{self.path / 'cells.parquet'}: contains no cell; run it again")
        return tuple(self._scored(row, score) for row in rows)

    def _scored(self, row: dict[str, Any], column: str) -> ScoredCell:
        """The cell in a row of the table; `column` is that of the score.

        Raises:
            InputError: A setting is impossible, the score is not a finite number, or the speed is not a number above 0.
        """
        path = self.path / "cells.parquet"
        try:
            cell = cell_of(row)
        except InputError as error:
            raise InputError(f"{path}: cell {clean(row['cell_id'])}: {error}; run it again") from None
        if (name := cell.trajectory.checkpoint) not in self.weights:
            raise InputError(
                f"{self.path / 'run.json'}: checkpoints: {clean(name)[:80]} is missing, which cells.parquet names; run it "
                "again"
            )
        score, images_per_s = number(row[column]), number(row["images_per_s"])
        if score is None or not isfinite(score) or images_per_s is None or not 0 < images_per_s < inf:
            raise InputError(
                f"{path}: cell {clean(row['cell_id'])}: score {score} at {images_per_s} images/s; expected numbers, "
                "run it again"
            )
        return ScoredCell(cell, row["cell_id"], score, images_per_s)


def open_evaluated(path: Path) -> FinishedRun:
    """Open a run folder or a saved baseline.

    Raises:
        InputError: There is no run, or it is damaged.
        IncompleteRunError: The run is not finished.
    """
    run = open_run(path)
    require_declared(run)
    if not run.complete:
        raise IncompleteRunError(f"{path}: not finished; the same `maskbench run` command resumes it")
    return FinishedRun(run)


def features(side: FinishedRun, cells: Sequence[Cell]) -> dict[Cell, np.ndarray]:
    """Features (N, D) of cells, images in order of id; float32 from a run, float16 from a baseline.

    Raises:
        InputError: The features are no longer stored.
    """
    if side.saved:
        return {cell: _read(side, cell.cell_id) for cell in cells}
    by_cell: dict[Cell, np.ndarray] = {}
    for checkpoint in dict.fromkeys(cell.trajectory.checkpoint for cell in cells):
        own = [cell for cell in cells if cell.trajectory.checkpoint == checkpoint]
        by_cell |= cell_features(open_stored(side.run, checkpoint), own, side.extractor.fingerprint)
    return by_cell


def truth(side: FinishedRun) -> np.ndarray:
    """Features (N, D) of the originals, in the same order and types as `features`.

    Raises:
        InputError: The features are no longer stored.
    """
    if side.saved:
        return _read(side, TRUTH)
    return truth_features(open_stored(side.run, next(iter(side.weights))), side.extractor.fingerprint)


def _read(side: FinishedRun, name: str) -> np.ndarray:
    path = side.path / FEATURES_FILE
    side.require_intact_features()
    try:
        with safe_open(path, framework="numpy") as file:
            tensor = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error}); save the baseline again") from None
    expected = (len(side.images), side.extractor.dim)
    if tensor.shape != expected:
        raise InputError(f"{path}: {name} is {tensor.shape}, expected {expected}; save the baseline again")
    return cast("np.ndarray", tensor)
