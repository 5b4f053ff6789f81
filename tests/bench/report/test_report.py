"""The reports: their input, and the same contents in every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.document.text import significant
from bench.report.as_json import render_json
from bench.report.sections import summary
from bench.report.view import build

from .rendering import markdown, terminal

MakeRun = Callable[..., Path]
HOSTILE = (
    "<script>alert(1)</script> [bold red]x[/bold red] [/] a|b \x1b[31mred\x1b]0;title\x07 \u202eevil *b*"
    " `c` @all\r\nnext"
)


def numbers(row: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", row)


# --- one view, the same numbers everywhere ---------------------------------------------------------------------------


def test_every_score_is_in_its_place_in_every_format(make_run: MakeRun) -> None:
    run = make_run()
    view = build(run)
    body = json.loads(render_json(view))
    table = pq.read_table(run / "cells.parquet").to_pandas()
    in_terminal, in_markdown = terminal(view, width=120).splitlines(), markdown(view).splitlines()
    assert len(body["cells"]) == len(table) == 36
    for grid in body["grids"]:
        t, spots = grid["total_iter"], grid["sweet_spots"]
        title = next(i for i, line in enumerate(in_terminal) if line.strip() == f"T {t}")
        heading = in_markdown.index(f"**T {t}**")
        for g, gamma in enumerate(grid["gammas"]):
            expected = []
            for s, spot in enumerate(spots):
                where = (table.gamma == gamma) & (table.total_iter == t) & (table.sweet_spot == spot)
                stored = table[where].fd.item()
                assert grid["scores"][g][s] == stored
                expected.append(view.metric.show(stored))
            row = next(line for line in in_terminal[title:] if line.strip().startswith(gamma))
            assert numbers(row) == expected
            row = next(line for line in in_markdown[heading:] if line.startswith(f"| {gamma} |"))
            assert numbers(row) == expected


def test_headlines_front_costs_and_checks_agree_between_formats(make_run: MakeRun) -> None:
    view = build(make_run())
    body = json.loads(render_json(view))
    flat = re.sub(r"\s+", " ", terminal(view, width=120))
    in_markdown = markdown(view)
    for headline in body["headlines"]:
        assert headline["sentence"] in flat
        assert headline["sentence"] in in_markdown
    for point in body["front"]:
        speed = significant(point["images_per_s"])
        score = view.metric.show(point["score"], view.cell(point["cell_id"]).score_se)
        assert f" {speed} {score} " in flat
        assert f"| {speed} | {score} |" in in_markdown
    for cost in body["run"]["throughput"]["unit_costs"]:
        median = significant(cost["median_ms_per_image"])
        assert f" {cost['stage']} {median} " in flat
        assert f"| {cost['stage']} | {median} |" in in_markdown
    for check in body["run"]["throughput"]["checks"]:
        error = f"{100 * check['relative_error']:+.1f} %"
        assert error in flat
        assert error in in_markdown
    assert "tiles of 16 · peak memory 612 MB" in flat
    assert "tiles of 16 · peak memory 612 MB" in in_markdown


def test_passes_found_in_the_store_are_counted_apart_from_those_run(make_run: MakeRun) -> None:
    view = build(make_run())
    needed = view.record.counts["transformer_passes"]

    def shown(run: int) -> str:
        counts = {**view.record.counts, "transformer_passes_run": run}
        return summary.work_line(replace(view, record=view.record.model_copy(update={"counts": counts})))

    assert f"{needed:,} transformer passes · " in shown(needed)
    assert f"{needed:,} transformer passes ({needed - 7:,} found in the store)" in shown(7)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_every_number_of_the_best_cell_is_whole_at_any_width(make_run: MakeRun, width: int) -> None:
    view = build(make_run(n_images=32))
    best = view.best
    assert best is not None
    clean = [replace(row, subset="clean", n=177) for row in view.metrics if row.cell_id == best.cell_id]
    view = replace(view, metrics=(*view.metrics, *clean))
    shown = terminal(view, width).splitlines()
    for name, value in summary.best_numbers(view, best) + summary.best_settings(best):
        assert any(re.search(rf"{re.escape(name)} +{re.escape(value)}(?: |$)", line) for line in shown), (name, value)


def test_best_front_and_trade_off_are_those_of_the_table(make_run: MakeRun) -> None:
    run = make_run()
    view, table = build(run), pq.read_table(run / "cells.parquet").to_pandas()
    by_kind = {headline.kind: view.cell(headline.cell_id) for headline in view.headlines}
    assert by_kind["best_quality"].score == table.fd.min()
    near = table[table.fd <= table.fd.min() + 0.1 * (41.7312 - 14.2137)]  # of the span between the reference rows
    assert by_kind["fast_enough"].images_per_s == near.images_per_s.max()
    front = {point.cell_id for point in view.front} | {other for point in view.front for other in point.equal}
    for row in table.itertuples():
        better = table[(table.fd <= row.fd) & (table.images_per_s >= row.images_per_s)]
        beaten = ((better.fd < row.fd) | (better.images_per_s > row.images_per_s)).any()
        assert (row.cell_id in front) == (not beaten)
    assert len(view.front[0].equal) == 5  # after one step all six cells are one point


def test_marks_need_no_colour(make_run: MakeRun) -> None:
    text = terminal(build(make_run()))
    assert "\x1b" not in text
    assert re.search(r"★\d", text)
    assert re.search(r"✓\d", text)
    assert re.search(r"✗\d", text)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(make_run: MakeRun, width: int) -> None:
    run = make_run(total_iters=(8, 12), checkpoints=("catfaces", "cats64"), temperatures=(3.0, 4.5), n_images=32)
    assert max(map(len, terminal(build(run), width=width).splitlines())) <= width


def test_a_wide_grid_is_cut_and_loses_nothing(make_run: MakeRun) -> None:
    gammas = ("cosine", "linear", "square", "cubic", "sqrt", "logarithmic", "exponential", "arccos", "power:3")
    view = build(make_run(gammas=gammas, total_iters=(16,), n_images=32))
    found = terminal(view, width=80)
    assert max(map(len, found.splitlines())) <= 80
    for score in {view.metric.show(cell.score) for cell in view.cells}:
        assert score in found


def test_ascii_terminal_gets_ascii(make_run: MakeRun) -> None:
    text = terminal(build(make_run(name="猫 γ")), encoding="ascii")
    assert "*20.82" in text


def test_what_varies_gets_its_own_titled_table(make_run: MakeRun) -> None:
    view = build(make_run(checkpoints=("catfaces", "cats64"), temperatures=(3.0, 4.5), n_images=32))
    assert view.varied == {"checkpoint": ("catfaces", "cats64"), "choice_temperature": (3.0, 4.5)}
    assert len(view.grids) == 8
    for text in (terminal(view), markdown(view).replace("\\", "")):
        assert "T 8 · checkpoint cats64 · choice_temperature 3" in text


# --- names and warnings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({"key": "fid", "features": "inception"}, "FID"),
        ({"key": "fid", "features": "inception", "verified": False}, "FID (unverified)"),
        ({}, "FD (efficientnet-lite0)"),
        ({"verified": False}, "FD (efficientnet-lite0, unverified)"),
    ],
)
def test_only_the_official_distance_is_called_fid(make_run: MakeRun, options: dict[str, object], column: str) -> None:
    view = build(make_run(n_images=32, **options))
    assert view.metric.column == column
    assert json.loads(render_json(view))["metric"]["column"] == column
    for text in (terminal(view), markdown(view)):
        assert column in text
        assert ("FID" in text) == column.startswith("FID")


def test_a_fid_column_of_another_extractor_is_not_believed(make_run: MakeRun) -> None:
    run = make_run(key="fid", features="mine", n_images=32)
    record = json.loads((run / "run.json").read_text())
    record["features"][0]["label"] = "FD"
    (run / "run.json").write_text(json.dumps(record))
    assert build(run).metric.column == "FD (mine)"


def test_warnings_of_the_run_and_of_its_tables_are_shown(make_run: MakeRun) -> None:
    warning = "446 of 747 ground-truth images are in the training folders."
    run = make_run(complete=False, warnings=[warning, warning])
    record = json.loads((run / "run.json").read_text())
    record["throughput"]["checks"][0]["relative_error"] = -0.4
    (run / "run.json").write_text(json.dumps(record))
    view = build(run)
    assert [caveat.code for caveat in view.caveats] == ["incomplete", "throughput", "one_step", "run"]
    for text in (re.sub(r"\s+", " ", terminal(view)), markdown(view), render_json(view)):
        assert warning in text
        assert "incomplete" in text
        assert "40.0 %" in text


def test_unfinished_scores_are_gaps(make_run: MakeRun) -> None:
    run = make_run(complete=False)
    for name in ("images", "steps", "metrics"):
        (run / f"{name}.parquet").unlink()
    cells = pq.read_table(run / "cells.parquet")
    scores = [None, float("nan"), *cells["fd"].to_pylist()[2:]]
    cells = cells.set_column(cells.column_names.index("fd"), "fd", pa.array(scores, pa.float64()))
    pq.write_table(cells, run / "cells.parquet")
    view = build(run)
    assert [cell.score for cell in view.cells[:2]] == [None, None]
    assert view.grids[0].scores[0][:2] == (None, None)
    assert "2 of 36 cells have no score." in terminal(view)
    assert json.loads(render_json(view))["cells"][0]["score"] is None


def test_without_any_score_or_speed_there_is_still_a_report(make_run: MakeRun) -> None:
    run = make_run(n_images=32, throughput=None)
    cells = pq.read_table(run / "cells.parquet")
    for column in ("fd", "images_per_s", "ms_per_image"):
        empty = pa.nulls(cells.num_rows, pa.float64())
        cells = cells.set_column(cells.column_names.index(column), column, empty)
    pq.write_table(cells, run / "cells.parquet")
    view = build(run)
    assert "No cell has a score yet." in terminal(view)
    assert "No cell has a score yet." in markdown(view)
    assert json.loads(render_json(view))["front"] == []


# --- hostile strings -------------------------------------------------------------------------------------------------


def test_strings_of_users_are_neutralised(make_run: MakeRun) -> None:
    data = {"name": HOSTILE, "n_images": 32, "image_size": 64, "sources": {HOSTILE: HOSTILE}}
    run = make_run(
        name=HOSTILE, checkpoints=(HOSTILE, HOSTILE + "2"), gammas=(HOSTILE, "linear"), features=HOSTILE, n_images=32,
        data=data, warnings=[HOSTILE], environment={"cpu": HOSTILE, "gpu": HOSTILE, "device": HOSTILE},
    )  # fmt: skip
    view = build(run)
    for encoding in ("utf-8", "ascii"):
        text = terminal(view, width=200, encoding=encoding)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert "[bold red]x[/bold red] [/]" in text  # shown literally, not interpreted
    written = markdown(view)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", written)
    assert "<script" not in written
    assert "@all" not in written
    assert not re.search(r"(?<!\\)`c", written)
    assert not re.search(r"(?<!\\)\*b", written)
    columns = None
    for line in written.splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line))
        if line.startswith("|"):
            assert columns in (None, bars), line
        columns = bars if line.startswith("|") else None
    assert json.loads(render_json(view))["run"]["name"] == HOSTILE
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\uffff]", render_json(view))
