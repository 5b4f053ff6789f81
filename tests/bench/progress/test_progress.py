"""Progress: the counts, the frequency of updates, and the documented keys of the JSON lines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.progress import displays
from bench.progress.displays import Best, Place
from bench.progress.reporter import SECONDS_BETWEEN_LINES, Reporter

ROOT = Path(__file__).resolve().parents[3]
Capture = pytest.CaptureFixture[str]


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def lines(capture: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


def test_what_was_found_is_done_but_says_nothing_of_speed_or_time_left(capsys: Capture) -> None:
    clock = Clock()
    with Reporter(1000.0, stage="a", images=500, as_json=True, clock=clock) as progress:
        progress.advance(600.0, found=True)
        progress.at(Place("b"))
        clock.now += 10
        progress.advance(100.0)
        progress.at(Place("c"))
    at_b, at_c = lines(capsys)[1:3]
    assert (at_b["done"], at_b["total"], at_b["images_per_s"], at_b["eta_s"]) == (300, 500, None, None)
    assert (at_c["done"], at_c["share"]) == (350, pytest.approx(0.7))
    assert at_c["images_per_s"] == pytest.approx(50 / 10)
    assert at_c["eta_s"] == pytest.approx(150 / 5)


def test_the_first_fiftieth_says_nothing_of_speed_or_time_left(capsys: Capture) -> None:
    clock = Clock()
    with Reporter(1000.0, stage="a", images=500, as_json=True, clock=clock) as progress:
        for stage, work in (("b", 19.0), ("c", 1.0)):
            clock.now += 5
            progress.advance(work)
            progress.at(Place(stage))
    at_b, at_c = lines(capsys)[1:3]
    assert (at_b["images_per_s"], at_b["eta_s"]) == (None, None)
    assert (at_c["images_per_s"], at_c["eta_s"]) == (pytest.approx(1.0), pytest.approx(490.0))


def test_work_never_passes_its_total_and_work_given_up_is_taken_out(capsys: Capture) -> None:
    with Reporter(100.0, images=100, as_json=True, clock=Clock()) as progress:
        progress.advance(40.0)
        progress.forgo(30.0)
        progress.advance(500.0)
    end = lines(capsys)[-1]
    assert (end["event"], end["done"], end["total"], end["share"]) == ("end", 70, 70, 1.0)


def test_plain_lines_come_when_a_stage_or_checkpoint_begins_and_now_and_then(capsys: Capture) -> None:
    clock = Clock()
    with Reporter(100.0, stage="reference", images=100, clock=clock) as progress:
        for block in (1, 2):
            for trajectory in (1, 2, 3):
                progress.at(Place("inpaint", "cats", block, 2).with_trajectory(trajectory, 3))
                progress.advance(10.0)
                clock.now += 1
        clock.now += SECONDS_BETWEEN_LINES
        progress.best(Best("cosine-8-4-abcdef", "psnr_hole_db", 23.456, 64))
        progress.advance(10.0)
        progress.at(Place("inpaint", "dogs", 1, 2))
    output = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in output] == [
        "inpaint cats, block 1/2, trajectory 1/3",
        "inpaint cats, block 2/2, trajectory 3/3",
        "inpaint dogs, block 1/2",
    ]
    assert re.search(r": 70 %, 21\.0 s elapsed, 3\.33 images/s, 9\.0 s left, PSNR in the "
                     r"hole up to 23\.46 dB over 64 images$", output[1])  # fmt: skip


def test_json_lines_have_the_keys_that_are_documented(capsys: Capture) -> None:
    with pytest.raises(KeyError), Reporter(10.0, images=10, as_json=True, quiet=True) as progress:
        progress.skip("a", "damaged")
        progress.best(Best("cosine-8-4-abcdef", "fd", 1.5, 64))
        progress.at(Place("score", cell=1, cells=2))
        raise KeyError
    output = lines(capsys)
    assert [line["event"] for line in output] == ["start", "skip", "progress", "end"]
    assert output[2]["best"] == {"cell_id": "cosine-8-4-abcdef", "metric": "fd", "value": 1.5, "images": 64}
    assert output[-1]["finished"] is False
    assert displays.__doc__ is not None
    groups = re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*),?(?: {2}|$)", displays.__doc__, re.MULTILINE)
    names = {name for group in groups for name in group.split(", ")}
    assert {key for line in output for key in line} <= names
    page = (ROOT / "docs" / "json-logs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)} == names


def test_quiet_shows_nothing_but_what_was_skipped(capsys: Capture) -> None:
    with Reporter(10.0, quiet=True, images=10) as progress:
        progress.at(Place("inpaint", "cats", 1, 1))
        progress.advance(10.0)
        progress.skip("ca\x1b[31mts", "no such\nfolder")
    assert capsys.readouterr().err == "skipped cats: no such folder\n"
