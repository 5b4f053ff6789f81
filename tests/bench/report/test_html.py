"""The HTML report: one file, the same numbers as every other format, and no user text that a browser would interpret."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench.document.image import EmbeddedImage
from bench.document.text import significant
from bench.report.as_json import render_json
from bench.report.formats import report
from bench.report.html.render import render_html
from bench.report.influential import Influence
from bench.report.references import Reference, reference_label
from bench.report.view import View, build
from maskgit.schedules import schedule

from .rendering import markdown, terminal

MakeRun = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG_LEAVES = {"path", "circle"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \"'> {{ 7*7 }}"
    " \x1b[31mred\x1b]0;title\x07 \u202eevil\r\nnext"
)


class Page(HTMLParser):
    """A parsed page: balanced tags, attributes, scripts, the text outside them, tables by the name of their region."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.rows: list[list[tuple[dict[str, str | None], str]]] = []
        self.row_ids: list[str | None] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), (tag, attrs)
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((attributes, ""))
        elif tag == "tr":
            self.rows.append([])
            self.row_ids.append(attributes.get("id"))
        elif tag in ("td", "th"):
            self.rows[-1].append((attributes, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_LEAVES, tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
            return
        self.text.append(data)
        if "td" in self.open or "th" in self.open:
            attributes, text = self.rows[-1][-1]
            self.rows[-1][-1] = (attributes, text + data)

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.tags for key, value in attributes.items() if key == name]

    @property
    def cells(self) -> list[list[tuple[dict[str, str | None], str]]]:
        """Rows of the table of all cells."""
        return [row for row, name in zip(self.rows, self.row_ids, strict=True) if (name or "").startswith("cell-")]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The texts of every row of every table."""
        return [tuple(text for _, text in row) for row in self.rows]

    @property
    def specs(self) -> list[dict[str, Any]]:
        """The specs of the plots."""
        return [json.loads(text) for attributes, text in self.scripts if attributes.get("type") == "application/json"]

    @property
    def policy(self) -> str:
        return next(a["content"] or "" for _, a in self.tags if a.get("http-equiv") == "Content-Security-Policy")


def full(view: View) -> View:
    """A view of a run with all optional parts."""
    best = view.best
    assert best is not None
    return replace(
        view,
        cells=tuple(replace(cell, score_se=None if cell.score is None else 0.02 * cell.score) for cell in view.cells),
        references=(
            Reference("tokenizer_floor", best.checkpoint, best.compose, 14.2137, 0.2119),
            Reference("one_shot", best.checkpoint, best.compose, 43.9184, 0.8127),
            Reference("masked_input", None, None, 151.3071),
            Reference("telea", None, "other", 38.4213, 1.0371),
        ),
        influential=(
            Influence(best.cell_id, 17, 0.7391, 3),
            Influence(best.cell_id, 4, -0.4127, 4),
        ),
    )


# --- one page -------------------------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_its_references_lead_somewhere(make_run: MakeRun) -> None:
    page = Page(render_html(full(build(make_run())), (EmbeddedImage("worst", "a cat", PNG),)))
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    for link in page.attributes("href"):
        assert link == "data:," or (link[0] == "#" and link[1:] in ids)
    for name in ("aria-describedby", "aria-labelledby", "aria-controls", "for"):
        for value in page.attributes(name):
            assert set(value.split()) <= set(ids), (name, value)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for tag, attributes in page.tags:
        if tag == "img":
            assert attributes.get("alt")
        if "plot" in (attributes.get("class") or "").split():
            assert attributes.get("aria-label")
            assert attributes.get("aria-describedby")


def test_nothing_is_loaded_and_the_policy_allows_only_the_page_itself(make_run: MakeRun) -> None:
    page = Page(render_html(full(build(make_run(n_images=32))), (EmbeddedImage("worst", "a cat", PNG),)))
    for name in ("src", "srcset", "href", "action", "poster", "data", "background"):
        for value in page.attributes(name):
            assert value.startswith(("#", "data:")), (name, value)
    assert not {tag for tag, _ in page.tags} & {"iframe", "object", "embed", "base", "form", "video", "audio", "source"}
    style = re.sub(r"/\*.*?\*/", "", (ROOT / "bench/report/html/report.css").read_text(encoding="utf-8"))
    assert "url(" not in style
    assert "@import" not in style
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert "http" not in page.policy
    code = [text for attributes, text in page.scripts if "type" not in attributes]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in hashes]
    assert len(code) == 2


def test_a_hundred_cells_stay_far_below_the_limit_of_a_mail(make_run: MakeRun) -> None:
    view = full(build(make_run(total_iters=(8, 12), temperatures=(3.0, 4.5), n_images=32)))
    assert len(view.cells) == 120
    assert len(render_html(view).encode()) < 2_500_000


def test_example_images_are_on_the_page_only_when_given(make_run: MakeRun) -> None:
    view = build(make_run(n_images=32))
    page = Page(render_html(view, (EmbeddedImage("Worst images", "masked, steps, truth", PNG),)))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["masked, steps, truth"]
    assert base64.b64decode((images[0]["src"] or "").removeprefix("data:image/png;base64,")) == PNG
    plain = Page(render_html(view))
    assert "examples" in page.attributes("id")
    assert "examples" not in plain.attributes("id")
    assert "img" not in {tag for tag, _ in plain.tags}


def test_the_wheel_takes_along_what_the_page_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["bench"]
    packed = {path for pattern in patterns for path in (ROOT / "bench").glob(pattern)}
    needed = {path for path in (ROOT / "bench").rglob("*") if path.suffix in (".html", ".css", ".js")}
    assert len(needed) == 6
    assert needed <= packed


# --- the same numbers -----------------------------------------------------------------------------------------------


def test_the_table_holds_every_cell_with_the_numbers_of_json(make_run: MakeRun) -> None:
    view = full(build(make_run()))
    body, page = json.loads(render_json(view)), Page(render_html(view))
    assert len(page.cells) == len(body["cells"]) == 36
    for row, cell in zip(page.cells, sorted(body["cells"], key=lambda cell: cell["score"]), strict=True):
        texts = [text for _, text in row]
        values = [float(attributes["data-value"] or "") for attributes, _ in row if "data-value" in attributes]
        assert texts[-1] == cell["cell_id"]
        assert texts[1:5] == [
            cell["gamma"],
            str(cell["total_iter"]),
            str(cell["sweet_spot"]),
            view.metric.show(cell["score"], cell["score_se"]),
        ]
        change = next(entry["change"] for entry in body["against_best"] if entry["cell_id"] == cell["cell_id"])
        measures = ("images_per_s", "psnr_hole_db", "mae_hole", "token_accuracy")
        assert values[2:] == [cell["score"], change, *(cell[name] for name in measures)]


def test_grids_front_references_and_influence_are_the_same_in_every_format(make_run: MakeRun) -> None:
    view = full(build(make_run()))
    body, rows = json.loads(render_json(view)), Page(render_html(view)).texts
    flat, in_markdown = re.sub(r"\s+", " ", terminal(view, width=200)), markdown(view)
    for grid in body["grids"]:
        for gamma, scores in zip(grid["gammas"], grid["scores"], strict=True):
            expected = [view.metric.show(score) for score in scores]
            texts = [[re.sub("[★✓✗]", "", text) for text in row[1:]] for row in rows if row[0] == gamma]
            assert expected in texts
    for point in body["front"]:
        cell = next(cell for cell in body["cells"] if cell["cell_id"] == point["cell_id"])
        speed, score = significant(point["images_per_s"]), view.metric.show(point["score"], cell["score_se"])
        assert (speed, score) in [row[:2] for row in rows]
        assert f" {speed} {score} " in flat
        assert f"| {speed} | {score} |" in in_markdown
    for reference, known in zip(body["references"], view.references, strict=True):
        score = view.metric.show(reference["score"], reference["score_se"])
        label = reference_label(known, view.metric)
        assert (label, score) in [row[:2] for row in rows]
        assert f"{label} {score} " in flat
        assert f"| {label} | {score} |" in in_markdown
    for image in body["influential"]:
        amount = f"{image['influence']:+.{view.metric.decimals}f}"
        assert (str(image["image_id"]), amount) in [row[:2] for row in rows]
        assert f" {image['image_id']} {amount} " in flat
        assert f"| {image['image_id']} | {amount} |" in in_markdown
    for warning in body["caveats"]:
        for text in (" ".join(Page(render_html(view)).text), flat, in_markdown):
            assert warning["text"] in text


def test_the_summary_says_what_the_headlines_say(make_run: MakeRun) -> None:
    view = full(build(make_run()))
    text = " ".join("".join(Page(render_html(view)).text).split())
    for headline in json.loads(render_json(view))["headlines"]:
        cell = view.cell(headline["cell_id"])
        assert headline["title"] in text
        assert f"{view.metric.show(cell.score, cell.score_se)} {view.metric.column}" in text
        if headline["cell_id"] != view.headlines[0].cell_id:
            assert headline["comparison"][1:] in text
    assert view.answer is not None
    assert view.answer.sentence in text


def test_plots_are_drawn_from_the_numbers_of_json(make_run: MakeRun) -> None:
    view = full(build(make_run(total_iters=(4, 8), temperatures=(3.0, 4.5))))
    body = json.loads(render_json(view))
    drawn = [value for spec in Page(render_html(view)).specs for value in spec["data"]["values"]]
    scores = {value["cell_id"]: value for value in drawn if "sweet_spot" in value}
    assert len(scores) == len(body["cells"])
    for cell in body["cells"]:
        value = scores[cell["cell_id"]]
        assert (value["score"], value["images_per_s"]) == (cell["score"], cell["images_per_s"])
        assert value["high"] - value["low"] == pytest.approx(2 * cell["score_se"])
        assert view.metric.show(cell["score"], cell["score_se"]) in value["label"]
    shares = {(v["gamma"], v["ratio"]): v["masked_share"] for v in drawn if "masked_share" in v}
    expected = {
        (c["gamma"], r): s for c in body["schedules"] for r, s in zip(c["ratios"], c["masked_share"], strict=True)
    }
    assert shares == expected
    influence = [value["influence"] for value in drawn if "influence" in value]
    assert influence == [row["influence"] for row in body["influential"]]


def test_the_steps_show_differences_from_the_best_and_references_never_flatten_them(make_run: MakeRun) -> None:
    view = full(build(make_run()))
    panels = [spec for spec in Page(render_html(view)).specs if "sweet_spot" in spec["data"]["values"][0]][:2]
    for spec in panels:
        absolute = {param["name"]: param["value"] for param in spec["params"]}["absolute"]
        assert absolute is False
        y = spec["layer"][-1]["encoding"]["y"]
        assert y["field"] == "change"
        bottom = float(y["scale"]["domain"][0]["expr"].rpartition(": ")[2])
        top = {param["name"]: param["value"] for param in spec["params"]}["ymax"]
        for value in spec["data"]["values"]:
            entry = view.difference_from_best(value["cell_id"])
            assert entry is not None
            assert (value["change"], value["within_noise"]) == (entry.change, entry.within_noise)
            assert value["change_high"] - value["change_low"] == pytest.approx(2 * (entry.change_se or 0))
            assert bottom <= value["change_low"]
            assert value["change_high"] <= top
        drawn = spec["layer"][0]["data"]["values"]
        assert [row["words"] for row in drawn] == ["floor", "one-shot"]
        assert all(bottom <= row["change"] <= top for row in drawn)
    text = " ".join(Page(render_html(view)).text)
    assert "Beyond the axis: masked input 151.31" in text


def test_near_equal_references_share_a_label(make_run: MakeRun) -> None:
    view = full(build(make_run()))
    one_shot = next(row for row in view.references if row.name == "one_shot")
    assert one_shot.score is not None
    twin = replace(one_shot, name="external:other", score=one_shot.score + 0.1)
    page = Page(render_html(replace(view, references=(*view.references, twin))))
    spec = next(spec for spec in page.specs if "sweet_spot" in spec["data"]["values"][0])
    assert [row["words"] for row in spec["layer"][0]["data"]["values"]] == ["floor", "", "one-shot, external:other"]


def test_cells_open_sorted_and_those_within_noise_are_outlined(make_run: MakeRun) -> None:
    view = full(build(make_run()))
    page = render_html(view)
    scores = [cell.score for cell in view.cells if cell.score is not None]
    rows = re.findall(r'<tr id="cell-(\d+)".*?>(t\d+-s\d+)</td></tr>', page)
    assert [view.cell(cell_id).score for _, cell_id in rows][: len(scores)] == sorted(scores)
    numbers = {cell_id: number for number, cell_id in rows}
    for headline in view.headlines:
        assert f'href="#cell-{numbers[headline.cell_id]}"' in page
    assert page.count('class="number tied"') == sum(bool(entry.within_noise) for entry in view.against_best)


def test_schedules_and_tokens_fixed_follow_from_gamma_and_the_holes(make_run: MakeRun) -> None:
    run = make_run(gammas=("cosine", "linear", "logarithmic"))
    view = build(run)
    for curve in view.schedules:
        assert (curve.ratios[0], curve.ratios[-1]) == (0.0, 1.0)
        assert curve.masked_share[0] == 1.0
        assert list(curve.masked_share) == sorted(curve.masked_share, reverse=True)
        assert schedule(curve.gamma)
    images = pq.read_table(run / "images.parquet").to_pandas()
    holes = images[images.image_id < 32].drop_duplicates("image_id").token_hole_ratio.astype(float).mean() * 256
    for curve in view.curves:
        assert sum(fixed or 0.0 for fixed in curve.tokens_fixed) + (curve.masked_left[-1] or 0.0) == pytest.approx(
            holes
        )


def test_a_run_that_does_not_say_its_tokens_leaves_the_first_step_open(make_run: MakeRun) -> None:
    run = make_run(checkpoints=("catfaces",))
    record = json.loads((run / "run.json").read_text())
    del record["checkpoints"][0]["tokens"]
    (run / "run.json").write_text(json.dumps(record))
    view = build(run)
    assert view.schedules == ()
    assert all(curve.tokens_fixed[0] is None and curve.tokens_fixed[1] is not None for curve in view.curves)
    assert "chart-schedule" not in Page(render_html(view)).attributes("id")


# --- less than everything -------------------------------------------------------------------------------------------


def test_a_run_without_scores_or_speeds_still_makes_a_page(make_run: MakeRun) -> None:
    view = build(make_run(n_images=32, throughput=None, complete=False))
    bare = replace(
        view,
        cells=tuple(replace(cell, score=None, measures=dict.fromkeys(cell.measures)) for cell in view.cells),
        headlines=(), front=(), curves=(), schedules=(), hole_bins=(), metrics=(), influential=(), references=(),
        grids=tuple(replace(g, scores=tuple((None,) * len(row) for row in g.scores), best=None) for g in view.grids),
    )  # fmt: skip
    page = Page(render_html(bare))
    text = " ".join(page.text)
    assert "No cell has a score yet." in text
    assert "This run is incomplete" in text
    assert page.specs == []
    assert len(page.cells) == 36


@pytest.mark.parametrize(
    ("options", "column"),
    [({"key": "fid", "features": "inception"}, "FID"), ({"verified": False}, "FD (efficientnet-lite0, unverified)")],
)
def test_only_the_official_distance_is_called_fid(make_run: MakeRun, options: dict[str, object], column: str) -> None:
    page = Page(render_html(build(make_run(n_images=32, **options))))
    all_text = " ".join([*page.text, *page.attributes("aria-label"), *(json.dumps(spec) for spec in page.specs)])
    assert column in all_text
    assert ("FID" in all_text) == column.startswith("FID")


# --- hostile strings ------------------------------------------------------------------------------------------------


def hostile(make_run: MakeRun) -> View:
    data = {"name": HOSTILE, "n_images": 32, "image_size": 64, "sources": {HOSTILE: HOSTILE}}
    run = make_run(
        name=HOSTILE, checkpoints=(HOSTILE, HOSTILE + "2"), gammas=(HOSTILE, "linear"), features=HOSTILE, n_images=32,
        data=data, warnings=[HOSTILE], environment={HOSTILE: HOSTILE, "cpu": HOSTILE, "gpu": HOSTILE, "device": HOSTILE},
        created=HOSTILE, finished=HOSTILE, spec={HOSTILE: [HOSTILE, {"toml": HOSTILE}]},
    )  # fmt: skip
    view = build(run)
    best = view.best
    assert best is not None
    return replace(
        view,
        references=(
            Reference(HOSTILE, best.checkpoint, best.compose, 30.0),
            Reference("one_shot", HOSTILE, HOSTILE, 31.0),
        ),
        influential=(Influence(best.cell_id, 17, 0.7),),
    )


def test_strings_of_users_stay_text(make_run: MakeRun) -> None:
    html = render_html(hostile(make_run), (EmbeddedImage(HOSTILE, HOSTILE, PNG),))
    page = Page(html)
    code = [text for attributes, text in page.scripts if "type" not in attributes]
    assert len(code) == 2
    assert not any("alert(1)" in text for text in code)
    assert {attributes.get("type") for attributes, _ in page.scripts} == {None, "application/json"}
    assert [attributes["src"] for tag, attributes in page.tags if tag == "img"] == [EmbeddedImage("", "", PNG).url]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    literal = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'> {{ 7*7 }} red evil next"
    text = "".join(page.text)
    assert text.count(literal) > 10  # shown literally, not interpreted, and not run as a template
    assert literal in page.attributes("alt")
    for attributes, script in page.scripts:
        if "type" in attributes:
            assert "<" not in script
            json.loads(script)
    ours = html.replace(code[0], "").replace(code[1], "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", ours)


def test_strings_in_plots_are_data_and_never_expressions(make_run: MakeRun) -> None:
    def expressions(part: Any) -> list[str]:
        if isinstance(part, list):
            return [expression for item in part for expression in expressions(item)]
        if not isinstance(part, dict):
            return []
        own = [part[key] for key in ("expr", "filter", "test", "signal", "calculate") if isinstance(part.get(key), str)]
        return own + [expression for key, item in part.items() if key != "values" for expression in expressions(item)]

    specs = Page(render_html(hostile(make_run))).specs
    all_expressions = {expression for spec in specs for expression in expressions(spec)}
    assert all_expressions
    assert not any("alert" in expression for expression in all_expressions)


# --- the command ----------------------------------------------------------------------------------------------------


def test_html_goes_to_a_file_and_byte_for_byte_to_a_pipe(
    make_run: MakeRun, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    run = make_run(n_images=32)
    report(run, "html", tmp_path / "report.html")
    content = (tmp_path / "report.html").read_bytes()
    assert content.startswith(b"<!DOCTYPE html>")
    report(run, "html")
    assert capfdbinary.readouterr().out == content
