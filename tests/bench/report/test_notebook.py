"""A run in Python: its report as a file, and what a notebook shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import bench
from maskgit.errors import InputError

MakeRun = Callable[..., Path]


@pytest.mark.parametrize("suffix", [".html", ".md", ".json", ".csv", ".parquet"])
def test_the_suffix_names_the_format_of_a_report(make_run: MakeRun, tmp_path: Path, suffix: str) -> None:
    run = bench.load(make_run())
    path = run.report(tmp_path / f"report{suffix}", images=False)
    content = path.read_bytes()
    if suffix == ".json":
        assert len(json.loads(content)["cells"]) == len(run.cells)
    else:
        start = {".html": b"<!doctype html", ".md": b"#", ".csv": b'"cell_id"', ".parquet": b"PAR1"}[suffix]
        assert content.lower().startswith(start.lower())


def test_another_suffix_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.pdf: no report has this suffix; use \.html, \.md"):
        bench.load(make_run()).report(tmp_path / "report.pdf")


def test_a_notebook_shows_the_best_cells_with_errors_and_the_caveats(make_run: MakeRun) -> None:
    run = bench.load(make_run())
    page = run._repr_html_()
    assert page.count("<tr>") == 1 + 10
    assert f"and {len(run.cells) - 10} more cells" in page
    best = run.best
    assert best is not None
    first = page.split("<tbody><tr>")[1].split("</tr>")[0]
    assert best.cell_id in first
    assert f"{best.score:.2f} ± {best.score_se:.2f}" in first
    assert "<td>best</td>" in first
    assert "biased upwards" in page


def test_names_from_outside_are_escaped(make_run: MakeRun) -> None:
    run = bench.load(make_run(name="<script>", gammas=("<b>x</b>",)))
    page = run._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<b>" not in page
