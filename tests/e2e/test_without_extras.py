"""Everything but its own command works without the optional packages."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from maskgit.extras import EXTRAS, install_line

if TYPE_CHECKING:
    from pathlib import Path

MISSING = (*EXTRAS, "pywt", "torchmetrics", "vl_convert")
PROGRAM = """
import json, sys

class Blocker:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}")

MISSING, commands = (json.loads(text) for text in sys.argv[1:])
sys.meta_path.insert(0, Blocker())
from typer.testing import CliRunner
from bench.cli import app
results = [CliRunner().invoke(app, command) for command in commands]
print(json.dumps([[result.exit_code, result.output] for result in results]))
"""
GRID = """
[model]
checkpoint = "{checkpoint}"
[data]
dataset = "catfaces"
count = 6
[grid]
total_iter = 2
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
[execution]
device = "cpu"
tile = 4
"""


@pytest.fixture(scope="module")
def results(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit code and output of each command, all in one process that cannot import what is optional."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "grid.toml").write_text(GRID.format(checkpoint=tiny_checkpoint.as_posix()), encoding="utf-8")
    run, faces = str(folder / "run"), str(folder / "faces")
    truth = str(folder / "faces" / "test_gt.csv")
    commands = {
        "run": ["run", str(folder / "grid.toml"), "--output", run, "--quiet"],
        "report": ["report", run, "--full"],
        "json": ["report", run, "--format", "json"],
        "html": ["report", run, "--format", "html", "--output", str(folder / "report.html")],
        "show": ["show", run, "--worst", "1", "--output", str(folder / "sheets")],
        "gate": ["gate", run, "--baseline", run],
        "data": ["data", "catfaces", faces, "--count", "4"],
        "fid": ["fid", truth, truth, "--features", "efficientnet-lite0", "--no-cache", "--quiet", "--device", "cpu"],
        "audit": ["audit", truth],
        "audit --exact-only": ["audit", truth, "--exact-only"],
    }  # fmt: skip
    arguments = [json.dumps(MISSING), json.dumps(list(commands.values()))]
    program = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return dict(zip(commands, json.loads(program.stdout.splitlines()[-1]), strict=True))


def test_the_default_path_needs_none_of_them(results: dict[str, tuple[int, str]]) -> None:
    outcomes = {name: code for name, (code, _) in results.items() if name != "audit"}
    assert outcomes == dict.fromkeys(outcomes, 0), results


def test_a_reference_row_that_is_left_out_is_named_with_what_installs_it(results: dict[str, tuple[int, str]]) -> None:
    report = " ".join(results["report"][1].split())
    assert "telea is left out" in report
    assert install_line("cv2") in report
    references = {row["name"] for row in json.loads(results["json"][1])["references"]}
    assert references == {"tokenizer_floor", "oracle_filling", "one_shot", "masked_input"}


def test_the_search_for_near_copies_says_what_installs_it(results: dict[str, tuple[int, str]]) -> None:
    code, message = results["audit"]
    assert code == 2
    assert install_line("imagehash") in message
