"""One outcome in every format: the same numbers, and all text escaped."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from bench.document.json import to_json
from bench.document.markdown import render_markdown
from bench.document.terminal import render_terminal
from bench.gate import document, github, junit
from bench.gate.as_json import gate_content, refusal_content
from bench.gate.outcome import FAIL, INCONCLUSIVE, NOTED, PASS, SUSPICIOUS, WARN, CellOutcome, GateOutcome, Refusal
from bench.grid.sections import GateSection

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "a<script>|`x`,b:c%0A::error::d\x1b[31m\n\ufffe&\"'\u202e"


def cell(name: str, verdict: str, score: float = 21.37) -> CellOutcome:
    return CellOutcome(
        name=name,
        settings={"gamma": "cosine"},
        seeds=(0, 1),
        baseline_score=20.25,
        candidate_score=score,
        difference=score - 20.25,
        se=0.4321,
        z=(score - 20.25) / 0.4321,
        p_swap=0.0123 if verdict != PASS else None,
        p=0.0123,
        p_holm=0.0246,
        permutations=999,
        evaluated=16,
        prediction_error=0.01,
        tolerance=0.2025,
        detectable=1.357,
        throughput_ratio=0.876,
        verdict=verdict,
        reasons=(f"because of {name}",) if verdict != PASS else (),
    )


@pytest.fixture
def outcome() -> GateOutcome:
    verdicts = (PASS, NOTED, SUSPICIOUS, INCONCLUSIVE, FAIL)
    cells = tuple(cell(f"cell {i}", verdict, 20.5 + i / 8) for i, verdict in enumerate(verdicts))
    return GateOutcome(
        "results/new", "results/base", "FD (numbers)", 747, 733, GateSection(), "the test", False, cells, 3, 1.5
    )


@pytest.fixture
def nasty(outcome: GateOutcome) -> GateOutcome:
    return replace(outcome, candidate=NASTY, baseline=NASTY, metric=NASTY, cells=(cell(NASTY, FAIL),))


def terminal(outcome: GateOutcome, width: int = 100, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    render_terminal(
        document.gate_document(outcome), Console(file=file, width=width, color_system=None, legacy_windows=False)
    )
    file.seek(0)
    return file.read()


def markdown(outcome: GateOutcome) -> str:
    return render_markdown(document.gate_document(outcome))


def test_the_same_numbers_are_in_every_format(outcome: GateOutcome) -> None:
    formats = {
        "terminal": terminal(outcome, width=140),
        "markdown": markdown(outcome),
        "junit": junit.render_junit(outcome),
    }
    content = json.loads(to_json(gate_content(outcome)))
    for cell, fields in zip(outcome.cells, content["cells"], strict=True):
        for value in document.row(cell)[1:]:
            for name, text in formats.items():
                assert value in text, f"{value} is not in {name}"
        assert fields["candidate_score"] == cell.candidate_score
        assert fields["p_holm"] == cell.p_holm
        assert fields["fails"] == (cell.verdict == FAIL)
    assert content["verdict"] == "failed"
    assert content["exit_code"] == 1


def test_what_was_compared_and_could_be_found_is_said(outcome: GateOutcome) -> None:
    for text in (terminal(outcome), markdown(outcome)):
        flat = re.sub(r"\s+", " ", text)
        assert "Gate failed: 1 fail, 1 inconclusive, 1 suspicious, 1 pass with note, 1 pass (5 cells)" in flat
        assert "733 of them distinct" in flat
        assert "a true rise of 1.36 (6.7 %)" in flat
        assert "retraining with the same recipe" in flat
        assert "3 cells of the candidate" in flat


def test_junit_counts_each_outcome_where_ci_servers_look(outcome: GateOutcome) -> None:
    root = ET.fromstring(junit.render_junit(outcome))
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "5",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    state = {case.get("name"): [child.tag for child in case] for case in suite}
    assert state["cell 0"] == ["system-out"]
    assert state["cell 3"] == ["skipped", "system-out"]
    assert state["cell 4"] == ["failure"]
    strict = ET.fromstring(junit.render_junit(replace(outcome, rules=GateSection(inconclusive="fail"))))
    assert strict.get("failures") == "2"


def test_nothing_that_a_user_names_leaves_its_place(nasty: GateOutcome) -> None:
    (case,) = ET.fromstring(junit.render_junit(nasty)).iter("testcase")
    assert "<script>" in str(case.get("name"))
    in_markdown = markdown(nasty)
    assert "<script>" not in in_markdown
    assert "\\|" in in_markdown
    for text in (in_markdown, terminal(nasty), junit.render_junit(nasty)):
        assert not {"\x1b", "\u202e", "\r"} & set(text)
    commands = github.workflow_commands(nasty)
    for line in commands:
        assert re.fullmatch(r"::(error|warning|notice) title=[^,:]*::[^\r\n]*", line)
    assert "%250A" in commands[0]
    json.loads(to_json(gate_content(nasty)))


def test_the_headline_and_the_facts_follow_the_rules(outcome: GateOutcome) -> None:
    undecided = replace(outcome, cells=(cell("open", INCONCLUSIVE),), rules=GateSection(inconclusive="exit"))
    assert document.headline(undecided) == "Gate inconclusive: 1 inconclusive (1 cell)"
    basis = "10.0 % of the excess over the rFID floor"
    tiers = (
        replace(cell("a", PASS), tolerance_basis=basis, floor=19.0, candidate_floor=19.0, needed_tolerance=1.08),
        replace(cell("b", WARN), tier="supporting", tolerance_basis=basis, floor=19.0, candidate_floor=18.5),
    )
    facts = dict(document.facts(replace(outcome, cells=tiers)))
    assert f"after Holm over 1 critical and 1 supporting cells, and by more than {basis}" in facts["fails if"]
    assert "passes four times in five with a tolerance of 1.08" in facts["passes if"]
    assert facts["rFID floor"] == "19.00, candidate 18.50; 19.00"
    assert document.summary(tiers[1]) == "warn (supporting): because of b"
    estimate = replace(outcome, rules=GateSection(tolerance_test="estimate"))
    assert "estimated rise is within tolerance" in dict(document.facts(estimate))["passes if"]


def test_annotations_grade_the_cells(outcome: GateOutcome) -> None:
    levels = [line.split(" ")[0] for line in github.workflow_commands(outcome)]
    assert levels == ["::error", "::warning", "::warning", "::notice"]


def test_annotations_stop_where_github_stops_showing_them(outcome: GateOutcome) -> None:
    many = replace(outcome, cells=tuple(cell(f"cell {i}", FAIL) for i in range(25)))
    errors = [line for line in github.workflow_commands(many) if line.startswith("::error")]
    assert len(errors) == 10
    assert "and 16 more" in errors[-1]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_terminal_report_fits_80_columns(outcome: GateOutcome, encoding: str) -> None:
    text = terminal(outcome, width=80, encoding=encoding)
    assert max(map(len, text.splitlines())) <= 80


def test_a_refusal_is_an_error_everywhere() -> None:
    refusal = Refusal("new", "base", f"differ in {NASTY}", 3)
    (case,) = ET.fromstring(junit.render_refusal(refusal)).iter("testcase")
    assert case.find("error") is not None
    assert json.loads(to_json(refusal_content(refusal)))["exit_code"] == 3
    assert "<script>" not in render_markdown(document.refusal_document(refusal))
    assert github.refusal_annotation(refusal).startswith("::error ")


def test_the_summary_is_added_to(tmp_path: Path) -> None:
    github.append_summary(tmp_path / "summary.md", "one")
    github.append_summary(tmp_path / "summary.md", "two")
    assert (tmp_path / "summary.md").read_text() == "one\ntwo\n"
