"""The commands as a user types them, on small input."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.document.text import fixed, score_decimals

if TYPE_CHECKING:
    from pathlib import Path


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def grid(small_grid: Path) -> Path:
    return small_grid


@pytest.fixture
def run(small_run: Path) -> Path:
    return small_run


def test_a_plan_counts_what_the_run_then_does(grid: Path, run: Path) -> None:
    fresh = json.loads(invoke("plan", grid, "--output", grid.parent / "elsewhere", "--json"))
    done = json.loads(invoke("plan", grid, "--output", run, "--json"))
    counts = json.loads((run / "run.json").read_text())["counts"]
    assert not (grid.parent / "elsewhere").exists()
    assert fresh["cells"] == counts["cells"] == 2 * (2 + 3)
    assert fresh["transformer_passes"] == counts["transformer_passes"]
    assert fresh["stored_trajectories"] == {"complete": 0, "all": 4}
    assert done["stored_trajectories"] == {"complete": 4, "all": 4}
    assert fresh["estimate_s"] is None
    assert done["estimate_s"] > 0
    assert "transformer passes" in invoke("plan", grid)


def test_a_plan_shows_every_setting_with_its_default(grid: Path) -> None:
    shown = invoke("plan", grid)
    for setting in ("grid.rule", "grid.choice_temperature", "4.5", "grid.anneal", "grid.compose", "throughput.checks"):
        assert setting in shown
    markdown = invoke("plan", grid, "--format", "markdown")
    assert "- grid.choice\\_temperature: \\[4.5\\]" in markdown
    assert re.sub(r"\W+", "", shown) == re.sub(r"\W+", "", markdown.replace("\\", ""))
    axes = json.loads(invoke("plan", grid, "--json"))["axes"]
    assert axes["sweet_spot"] == [1, 2, 3]
    assert (axes["confidence"], axes["rule"], axes["seed"]) == (["probability"], ["lab"], [0])
    both = grid.with_name("both.toml")
    both.write_text(grid.read_text() + '[[grid.include]]\nrule = "paper"\n', encoding="utf-8")
    axes = json.loads(invoke("plan", both, "--json"))["axes"]
    assert (axes["rule"], axes["confidence"]) == (["lab", "paper"], ["probability", "log_probability"])


def test_a_plan_takes_no_estimate_from_a_run_of_another_version(grid: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema": 1}')
    assert json.loads(invoke("plan", grid, "--output", tmp_path, "--json"))["estimate_s"] is None


@pytest.mark.parametrize("stage", ["tokenizer", "transformer"])
def test_an_interrupted_training_says_how_to_resume(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"maskgit.training.{stage}_stage.train_{stage}", interrupted)
    result = CliRunner().invoke(app, ["train", stage, str(tmp_path / "recipe.toml")])
    assert result.exit_code == 130
    assert result.stderr == (
        "maskbench: interrupted; the same command with --resume continues from the last saved state\n"
    )


def test_reports_agree_with_the_table(run: Path) -> None:
    cells = pd.read_parquet(run / "cells.parquet")
    best = fixed(cells.fd.min(), score_decimals(cells.fd.min()))
    assert best in invoke("report", run)
    assert best in invoke("report", run, "--format", "markdown")
    view = json.loads(invoke("report", run, "--format", "json"))
    assert min(cell["score"] for cell in view["cells"]) == cells.fd.min()
    by_csv = pd.read_csv(io.StringIO(invoke("report", run, "--format", "csv")))
    assert by_csv.fd.tolist() == pytest.approx(cells.fd.tolist())


def test_a_run_folder_holds_no_absolute_path_of_its_inputs(grid: Path, run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    assert record["base"] == ".."


def test_data_commands_write_what_a_run_reads(tmp_path: Path) -> None:
    invoke("data", "catfaces", tmp_path / "faces", "--count", 3)
    assert len(list((tmp_path / "faces" / "masked_image").iterdir())) == 3
    invoke("data", "masks", tmp_path / "masks", "--count", 4, "--size", 32)
    assert len(list((tmp_path / "masks").rglob("*.png"))) == 4


def test_doctor_finds_this_installation_sound() -> None:
    shown = invoke("doctor")
    assert "catfaces" in shown
    assert "efficientnet-lite0" in shown


COMMANDS = [
    "run", "watch", "confirm", "plan", "report", "compare", "export", "show", "gate", "baseline save", "fid", "audit",
    "import",
    "train tokenizer", "train transformer", "data catfaces", "data masks", "schema", "doctor",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    assert f"maskbench {command}" in invoke(*command.split(), "--help")
