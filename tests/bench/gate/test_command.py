"""`maskbench gate` as called in CI, on sides made from numbers: exit codes, one line on stderr, reports before exit."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.cli.group import guarded
from bench.errors import EXIT_DEFECT
from bench.gate.baseline import save_baseline
from bench.gate.command import settle_rules
from bench.results.finished_run import open_evaluated

from .sides import a_cell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from .conftest import MakeSide


@pytest.fixture
def folders(make_side: MakeSide, numbers: Callable[..., np.ndarray], tmp_path: Path) -> Path:
    for name, noise in (("base", 0.5), ("good", 0.5), ("bad", 1.0)):
        make_side(name, {a_cell(): numbers(noise, seed=len(name))}, numbers())
    return tmp_path


def gate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["gate", *map(str, arguments)])


def one_line(result: Result) -> str:
    assert result.stderr.startswith("maskbench: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_exit_codes_say_how_it_went(folders: Path) -> None:
    assert gate(folders / "good", "--baseline", folders / "base").exit_code == 0
    assert gate(folders / "bad", "--baseline", folders / "base").exit_code == 1
    assert gate(folders / "base", "--baseline", folders / "bad").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["nowhere", "--baseline", "base"], 2, "no such run folder"),
        (["good", "--baseline", "nowhere"], 3, "no such baseline; `maskbench baseline save"),
        (["unfinished", "--baseline", "base"], 4, "not finished"),
        (["good", "--baseline", "unfinished"], 4, "not finished"),
        (["good", "--baseline", "base", "--alpha", "2"], 2, "--alpha: Input should be less than 0.5, got 2"),
        (["good", "--baseline", "base", "--inconclusive", "maybe"], 2, "--inconclusive"),
        (["good", "--baseline", "base", "--permutations", "3"], 2, "no cell could ever fail"),
        (["good", "--baseline", "base", "--permutations", "100000000000"], 2, "the maximum is 1,000,000"),
        (["good", "--baseline", "base", "--alpha", "1e-8"], 2, "raise alpha or gate fewer cells"),
        (["good", "--baseline", "empty"], 3, "no such baseline; `maskbench baseline save"),
        (["good", "--baseline", "base", "--cell", "nonsense"], 2, "--cell nonsense: no such cell in base"),
        (["good", "--baseline", "base", "--junit", "base/run.json/x"], 2, "--junit"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_an_exit_code(
    folders: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, named: str
) -> None:
    (folders / "unfinished" / "store").mkdir(parents=True)
    (folders / "empty").mkdir()
    monkeypatch.chdir(folders)
    result = gate(*arguments)
    assert result.exit_code == code
    assert named in one_line(result)


def _without_key(section: str, key: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text())
        del record[section][0][key]
        (folder / "run.json").write_text(json.dumps(record))

    return damage


def _without_section(section: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / "run.json").read_text())
        del record[section]
        (folder / "run.json").write_text(json.dumps(record))

    return damage


def _without_column(table: str, column: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        pq.write_table(pq.read_table(path).drop_columns([column]), path)

    return damage


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_without_section("features"), "features"),
        (_without_section("checkpoints"), "checkpoints"),
        (_without_section("spec"), "spec"),
        (_without_key("features", "fingerprint"), "features.0.fingerprint: missing"),
        (_without_key("checkpoints", "fingerprint"), "checkpoints.0.fingerprint: missing"),
        (_without_column("cells", "fd"), "lacks the column fd"),
        (_without_column("cells", "gamma"), "lacks the column gamma"),
        (_without_column("test_set", "mask_sha256"), "lacks the column mask_sha256"),
    ],
)
def test_a_damaged_baseline_is_bad_input_and_no_regression(
    folders: Path, damage: Callable[[Path], None], named: str
) -> None:
    damage(folders / "base")
    result = gate(folders / "good", "--baseline", folders / "base")
    assert result.exit_code == 2, result.output
    assert named in one_line(result)


def test_what_nobody_foresaw_is_no_regression(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(SystemExit) as ended:
        guarded(broken)
    assert ended.value.code == EXIT_DEFECT not in range(5)
    message = capsys.readouterr().err
    assert "ZeroDivisionError" in message
    assert "bug in maskbench" in message.splitlines()[-1]


def test_a_baseline_of_some_cells_has_their_checkpoints_alone(
    make_side: MakeSide, numbers: Callable, tmp_path: Path
) -> None:
    """One checkpoint's cells from a run with two: its name no longer counts, and equal weights are recognised as equal."""
    kept, removed = a_cell(checkpoint="ours"), a_cell(checkpoint="theirs")
    weights = [{"name": name, "fingerprint": f"weights of {name}"} for name in ("ours", "theirs")]
    make_side("both", {kept: numbers(0.5), removed: numbers(0.6)}, numbers(), record={"checkpoints": weights})
    save_baseline(tmp_path / "both", tmp_path / "kept", [kept.cell_id])
    renamed = [{"name": "renamed", "fingerprint": "weights of ours"}]
    make_side("same", {a_cell(checkpoint="renamed"): numbers(0.5)}, numbers(), record={"checkpoints": renamed})
    result = gate(tmp_path / "same", "--baseline", tmp_path / "kept", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["same_weights"] is True


def test_reports_are_written_before_it_exits(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folders / "summary.md"))
    junit = folders / "gate.xml"
    result = gate(folders / "bad", "--baseline", folders / "base", "--json", "--github", "--junit", junit)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verdict"] == "failed"
    assert "::error title=maskbench gate" in result.stderr
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert "Gate failed" in (folders / "summary.md").read_text()


def test_a_refusal_is_reported_too(
    folders: Path, make_side: MakeSide, numbers: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folders / "summary.md"))
    make_side("other", {a_cell(): numbers(0.5)}, numbers(), digests={"mask_sha256": {7: "f"}})
    junit = folders / "gate.xml"
    result = gate(folders / "other", "--baseline", folders / "base", "--json", "--github", "--junit", junit)
    assert result.exit_code == 3
    assert "another mask for 1 image (7)" in result.stderr
    assert json.loads(result.stdout)["exit_code"] == 3
    assert ET.parse(junit).getroot().get("errors") == "1"
    assert "refused" in (folders / "summary.md").read_text()


def test_the_baselines_rules_hold_whatever_the_candidate_says(
    folders: Path, make_side: MakeSide, numbers: Callable
) -> None:
    lenient = {"tolerance": 100.0, "inconclusive": "pass"}
    make_side("sly", {a_cell(): numbers(1.0, seed=3)}, numbers(), gate=lenient)
    assert gate(folders / "sly", "--baseline", folders / "base").exit_code == 1
    make_side("tolerant", {a_cell(): numbers(0.5, seed=4)}, numbers(), gate=lenient)
    assert gate(folders / "bad", "--baseline", folders / "tolerant").exit_code == 0
    result = gate(folders / "bad", "--baseline", folders / "tolerant", "--tolerance", 0.01, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["rules_from"] == "the baseline, and the command line (--tolerance)"


def test_markdown_goes_to_standard_output(folders: Path) -> None:
    result = gate(folders / "good", "--baseline", folders / "base", "--format", "markdown")
    assert result.stdout.startswith("## ✅ Gate passed")


def test_a_baseline_of_an_earlier_version_decides_as_it_did(
    make_side: MakeSide, numbers: Callable[..., np.ndarray]
) -> None:
    """Its run.json has explicit shares of the score, and no `tolerance_test`."""
    base = make_side("base", {a_cell(): numbers(0.5, seed=1)}, numbers(), floor=0.2)
    path = base.path / "run.json"
    record = json.loads(path.read_text())
    earlier = {
        "alpha": 0.05,
        "tolerance": 0.01,
        "suspicious": 0.2,
        "inconclusive": "pass",
        "permutations": "auto",
        "cells": ["all"],
    }
    path.write_text(json.dumps({**record, "spec": {**record["spec"], "gate": earlier}}))
    rules, _ = settle_rules(open_evaluated(base.path), {})
    assert (rules.tolerance, rules.tolerance_excess, rules.suspicious, rules.tolerance_test) == (
        0.01,
        None,
        0.2,
        "estimate",
    )
    rules, _ = settle_rules(base, {})
    assert (rules.tolerance, rules.tolerance_test) == (None, "noninferiority")


def test_a_tolerance_on_the_command_line_replaces_every_tolerance_of_the_baseline(
    make_side: MakeSide, numbers: Callable[..., np.ndarray]
) -> None:
    base = make_side("base", {a_cell(): numbers(0.5)}, numbers(), gate={"tolerance": 0.01, "suspicious": 0.3})
    rules, origin = settle_rules(base, {"tolerance_excess": 0.2})
    assert (rules.tolerance, rules.tolerance_excess, rules.suspicious) == (None, 0.2, 0.3)
    assert "--tolerance-excess" in origin


def test_inconclusive_has_an_exit_code_where_asked_for(
    folders: Path, make_side: MakeSide, numbers: Callable[..., np.ndarray]
) -> None:
    arguments = (
        make_side("other", {a_cell(): numbers(0.5, seed=9)}, numbers()).path,
        "--baseline",
        folders / "base",
        "--tolerance",
        0,
    )
    assert gate(*arguments).exit_code == 0
    result = gate(*arguments, "--inconclusive", "exit", "--json")
    assert result.exit_code == 5
    assert json.loads(result.stdout)["verdict"] == "inconclusive"


def test_a_saved_baseline_keeps_the_floor(
    make_side: MakeSide, numbers: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    run = make_side("base", {a_cell(): numbers(0.5)}, numbers(), floor=0.2).path
    save_baseline(run, tmp_path / "saved")
    content = json.loads(gate(run, "--baseline", tmp_path / "saved", "--json").stdout)
    assert [cell["floor"] for cell in content["cells"]] == [0.2]
    save_baseline(make_side("bare", {a_cell(): numbers(0.5)}, numbers()).path, tmp_path / "saved")
    assert not (tmp_path / "saved" / "references.parquet").exists()
