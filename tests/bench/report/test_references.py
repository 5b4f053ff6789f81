"""Reference rows: which cells each is comparable with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.report.references import Reference, reference_score
from bench.report.view import View, build

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results.cells import Cell


def changed(cell: Cell, **settings: str) -> Cell:
    return replace(cell, settings={**cell.settings, **settings})


@pytest.fixture
def cell(small_run: Path) -> Cell:
    view: View = build(small_run)
    return view.cells[0]


def test_rows_with_exact_known_pixels_belong_to_pasted_cells_alone(cell: Cell) -> None:
    masked_input = Reference("masked_input", None, "none", 9.0)
    assert masked_input.applies_to(changed(cell, compose="paste"))
    assert not masked_input.applies_to(changed(cell, compose="none"))


def test_other_rows_belong_to_cells_of_their_composition_and_checkpoint(cell: Cell) -> None:
    floor = Reference("tokenizer_floor", cell.checkpoint, "paste", 3.0)
    assert floor.applies_to(changed(cell, compose="paste"))
    assert not floor.applies_to(changed(cell, compose="none"))
    assert not floor.applies_to(changed(cell, compose="paste", checkpoint="another"))
    assert reference_score([floor], "tokenizer_floor", changed(cell, compose="paste")) == 3.0
