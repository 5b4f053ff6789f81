"""Fixtures of the gate's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench.results.finished_run import FinishedRun, open_evaluated

from .sides import Side, write_side

if TYPE_CHECKING:
    from pathlib import Path

    from bench.grid.plan import Cell

N, D = 40, 6
MakeSide = Callable[..., FinishedRun]


@pytest.fixture
def make_side(tmp_path: Path) -> MakeSide:
    def make(name: str, features: dict[Cell, np.ndarray], truth: np.ndarray, **changes: Any) -> FinishedRun:
        write_side(tmp_path / name, Side(features, truth, **changes))
        return open_evaluated(tmp_path / name)

    return make


@pytest.fixture
def numbers() -> Callable[..., np.ndarray]:
    """Features (N, D) of originals and of similar images; `noise` sets the distance between them."""
    rng = np.random.default_rng(7)
    truth = rng.standard_normal((N, D)) * np.linspace(2, 0.5, D) + 1

    def draw(noise: float | None = None, seed: int = 0) -> np.ndarray:
        if noise is None:
            return truth.astype(np.float32)
        fresh = np.random.default_rng(seed).standard_normal((N, D))
        return (truth + noise * fresh + 0.3 * noise).astype(np.float32)

    return draw
