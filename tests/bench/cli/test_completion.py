"""Shell completion, requested in the same way as by a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bench.cli import app

if TYPE_CHECKING:
    from pathlib import Path


def completed(*words: object) -> list[str]:
    line = ["maskbench", *map(str, words)]
    shell = {"_MASKBENCH_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(words))}
    return CliRunner().invoke(app, [], prog_name="maskbench", env=shell).stdout.split()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    pq.write_table(pa.table({"cell_id": ["cosine-8-4-aaaaaa", "linear-8-4-bbbbbb"]}), folder / "cells.parquet")
    return folder


def test_commands_options_and_extractors_are_completed() -> None:
    assert completed("com") == ["compare"]
    assert completed("run", "--keep") == ["--keep-going"]
    assert completed("fid", "--features", "inc") == ["inception"]


@pytest.mark.parametrize("command", [("export",), ("baseline", "save")])
def test_cell_ids_are_those_of_the_run_on_the_command_line(command: tuple[str, ...], run: Path) -> None:
    assert completed(*command, run, "out", "--cell", "cos") == ["cosine-8-4-aaaaaa"]


def test_cell_ids_of_a_gate_are_the_baselines(run: Path, tmp_path: Path) -> None:
    assert completed("gate", tmp_path / "none", "--baseline", run, "--cell", "lin") == ["linear-8-4-bbbbbb"]


def test_no_run_or_a_damaged_one_completes_nothing(run: Path, tmp_path: Path) -> None:
    assert completed("export", tmp_path / "none", "out", "--cell", "cos") == []
    (run / "cells.parquet").write_bytes(b"PAR1")
    assert completed("export", run, "out", "--cell", "cos") == []
