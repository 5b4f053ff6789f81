"""Cells by name, the latest run, and the short report."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.cli import app
from bench.document.terminal import render_terminal
from bench.report.cell_names import cell_ids_of
from bench.report.short import short_document
from bench.report.view import build
from bench.results.latest import latest_run
from maskgit.errors import InputError

MakeRun = Callable[..., Path]


def test_cells_are_named_by_id_start_role_or_settings(make_run: MakeRun) -> None:
    run = make_run(n_images=8, temperatures=(3.0, 4.5))
    view = build(run)
    assert view.best is not None
    assert view.answer is not None
    names = ["best", "fastest", "t000-s01", "gamma=linear,T=8,s=4,choice_temperature=4.5", "t011-s08"]
    linear = next(
        cell.cell_id
        for cell in view.cells
        if (cell.gamma, cell.total_iter, cell.sweet_spot, cell.choice_temperature) == ("linear", 8, 4, 4.5)
    )
    assert cell_ids_of(run, names) == [view.best.cell_id, view.answer.cell_id, "t000-s01", linear, "t011-s08"]
    assert cell_ids_of(run, ["t011-s08", "t011-s08"]) == ["t011-s08"]
    for name, message in (
        ("t011", "8 cells of"), ("gamma=linear,T=8,s=4", "2 cells of"), ("nonsense", "no such cell"),
        ("gamma=linear,width=3", "'width=3' is no setting"), ("gamma=", "is no setting with a value"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            cell_ids_of(run, [name])
    assert cell_ids_of(run, ["t001-s01"]) == ["t001-s01"]


def test_the_latest_run_is_the_one_written_last(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name a run folder"):
        latest_run(tmp_path)
    older, newer = make_run("older", n_images=4, total_iters=(4,)), make_run("newer", n_images=4, total_iters=(4,))
    os.utime(newer / "run.json", (1, 1))
    assert latest_run(tmp_path) == older
    os.utime(older / "run.json", (0, 0))
    assert latest_run(tmp_path) == newer


@pytest.mark.parametrize("total", [4, 24])
def test_the_short_report_fits_a_screen_and_has_the_answer(make_run: MakeRun, total: int) -> None:
    gammas = ("cosine", "linear", "square", *(f"pow:{power}" for power in range(3, 9)))
    run = make_run(n_images=8, gammas=gammas, total_iters=(total,), warnings=[f"{'word ' * 40}{i}" for i in range(12)])
    view = build(run)
    console = Console(width=80, record=True, file=io.StringIO())
    render_terminal(short_document(view, Path("results/mine"), page=True), console)
    lines = console.export_text().splitlines()
    text = " ".join(" ".join(lines).split())
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert view.answer is not None
    assert view.best is not None
    assert view.answer.sentence in text
    assert f"★{view.metric.show(view.best.score)}" in text
    assert "results/mine · report.html · next: maskbench show results/mine" in text


def test_a_report_goes_where_its_name_says(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run("results/mine", n_images=8, total_iters=(4,))
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> str:
        result = CliRunner().invoke(app, ["report", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    page = invoke("--format", "html", "--no-images").strip()
    assert (tmp_path / page).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert page == str(Path("results/mine/report.html"))
    invoke("results/mine", "--output", "x.md")
    assert (tmp_path / "x.md").read_text(encoding="utf-8").startswith("## maskbench")
    invoke("--output", "x.csv")
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith('"cell_id"')
    assert invoke("--json") == invoke("--format", "json")
    assert "Pareto front" in invoke("--full")
    assert "Pareto front" not in invoke()
