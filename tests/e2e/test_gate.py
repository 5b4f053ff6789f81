"""From runs to an exit code: real, tiny runs are gated against each other and against saved baselines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.grid.spec import parse_spec
from bench.results.finished_run import features, open_evaluated
from bench.run.runner import run as drive
from bench.store.keys import METRIC_VERSION, QUANTISATION

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _restore_torch() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def a_run(folder: Path, checkpoint: str, *sweet_spots: int) -> Path:
    raw = {
        "run": {"seeds": [0, 1]},
        "model": {"checkpoint": checkpoint},
        "data": {"dataset": "catfaces", "count": 12},
        "grid": {"gamma": ["cosine"], "total_iter": [2], "sweet_spot": list(sweet_spots)},
        "metrics": {"features": ["efficientnet-lite0"]},
        "throughput": {"repeats": 1, "checks": 0},
        "execution": {"tile": 12, "device": "cpu", "threads": 1},
    }
    return drive(parse_spec(raw, "test"), folder, quiet=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base`, two cells; `broken`, the last of them by a broken model; base's baselines `saved`, and `last` of that cell."""
    root = tmp_path_factory.mktemp("gate")
    a_run(root / "base", "catfaces", 1, 2)
    paint_grey(root / "checkpoint")
    a_run(root / "broken", str(root / "checkpoint"), 2)
    assert invoke("baseline", "save", root / "base", root / "saved").exit_code == 0
    assert invoke("baseline", "save", root / "base", root / "last", *last_cells(root)).exit_code == 0
    return root


def last_cells(root: Path) -> list[str]:
    """Options that name base's cells of the last step: one, of two seeds."""
    cells = pd.read_parquet(root / "base" / "cells.parquet")
    return [text for cell_id in cells[cells.sweet_spot == 2].cell_id for text in ("--cell", cell_id)]


def paint_grey(folder: Path) -> None:
    """A copy of the bundled model that paints with a twentieth of the contrast."""
    import torch

    from maskgit.checkpoints.locate import locate
    from maskgit.checkpoints.native import load_model, save_native

    model = load_model(locate("catfaces", Path()), "cpu")
    with torch.no_grad():
        for weights in model.tokenizer.decoder.model[-1].parameters():
            weights *= 0.05
    save_native(folder, model.tokenizer, model.transformer, name="grey")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_run_passes_against_itself_and_its_own_baseline(runs: Path) -> None:
    for baseline in ("base", "saved"):
        result = invoke("gate", runs / "base", "--baseline", runs / baseline, "--tolerance", 0)
        assert result.exit_code == 0, result.output
        assert "2 pass (2 cells)" in result.output


def against(runs: Path, candidate: str, baseline: str) -> dict:
    """The outcome of a gate on the last cell, as JSON."""
    cells = last_cells(runs) if baseline == "base" else []
    return json.loads(invoke("gate", runs / candidate, "--baseline", runs / baseline, *cells, "--json").stdout)


def test_a_broken_model_fails_and_the_other_way_round_passes(runs: Path) -> None:
    assert invoke("gate", runs / "broken", "--baseline", runs / "last").exit_code == 1
    assert invoke("gate", runs / "base", "--baseline", runs / "broken").exit_code == 0
    outcome = against(runs, "broken", "last")
    assert [cell["verdict"] for cell in outcome["cells"]] == ["fail"]
    assert [cell["seeds"] for cell in outcome["cells"]] == [[0, 1]]
    assert not outcome["same_weights"]
    assert against(runs, "base", "broken")["extra_cells"] == 1


def test_scores_are_those_of_the_runs(runs: Path) -> None:
    (gated,) = against(runs, "broken", "base")["cells"]
    for side, key in (("base", "baseline_score"), ("broken", "candidate_score")):
        cells = pd.read_parquet(runs / side / "cells.parquet")
        assert gated[key] == pytest.approx(cells[cells.sweet_spot == 2].fd.mean(), rel=1e-9)


def test_a_run_records_what_a_gate_asks_for(runs: Path) -> None:
    record = json.loads((runs / "base" / "run.json").read_text())
    assert record["metrics"] == {"version": METRIC_VERSION, "quantisation": QUANTISATION, "reference": "paired"}
    assert record["throughput"]["reference_ms"] > 0
    assert against(runs, "broken", "base")["cells"][0]["throughput_ratio"] > 0


def test_a_saved_baseline_decides_as_the_run_it_was_saved_from(runs: Path) -> None:
    (whole,), (half,) = (against(runs, "broken", baseline)["cells"] for baseline in ("base", "last"))
    assert half["verdict"] == whole["verdict"]
    for key in ("p", "baseline_score", "candidate_score", "difference", "se"):
        assert half[key] == pytest.approx(whole[key], rel=1e-3)


def test_a_missing_cell_or_baseline_is_refused_and_an_unfinished_run_too(runs: Path, tmp_path: Path) -> None:
    result = invoke("gate", runs / "broken", "--baseline", runs / "saved")
    assert result.exit_code == 3
    assert "1 baseline cell (cosine · T 2 · s 1) missing in the candidate" in result.stderr
    assert invoke("gate", runs / "base", "--baseline", tmp_path / "nowhere").exit_code == 3
    shutil.copytree(runs / "base", tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    assert invoke("gate", tmp_path / "run", "--baseline", runs / "saved").exit_code == 4


def test_a_baseline_holds_the_cells_that_were_named_and_says_its_size(runs: Path, tmp_path: Path) -> None:
    for _ in range(2):  # a baseline replaces an earlier one
        result = invoke("baseline", "save", runs / "base", tmp_path / "few", *last_cells(runs))
        size = sum(path.stat().st_size for path in (tmp_path / "few").iterdir())
        assert result.stdout == f"{tmp_path / 'few'}: 2 cells, {size / 1e6:.2f} MB\n"
    saved = open_evaluated(tmp_path / "few")
    assert {scored.cell.sweet_spot for scored in saved.scored} == {2}
    exact = features(open_evaluated(runs / "base"), [scored.cell for scored in saved.scored])
    for cell, rows in features(saved, list(exact)).items():
        assert rows.dtype == np.float16
        np.testing.assert_allclose(rows, exact[cell], rtol=2**-11, atol=1e-7)


def test_a_baseline_is_not_written_where_something_else_is(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (tmp_path, runs / "base"):
        result = invoke("baseline", "save", runs / "base", folder)
        assert result.exit_code == 2
        assert "is not empty and holds no baseline" in result.stderr
    result = invoke("baseline", "save", runs / "base", tmp_path / "new", "--cell", "nonsense")
    assert result.exit_code == 2
    assert not (tmp_path / "new").exists()


def test_a_damaged_baseline_is_named(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "saved", tmp_path / "saved")
    path = tmp_path / "saved" / "features.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    result = invoke("gate", runs / "base", "--baseline", tmp_path / "saved")
    assert result.exit_code == 2
    assert "features.safetensors: edited or damaged" in result.stderr


def test_the_gate_itself_needs_no_torch(runs: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom bench.cli import app\n"
        "result = CliRunner().invoke(app, ['gate', *sys.argv[1:]])\n"
        "assert 'torch' not in sys.modules\nsys.exit(result.exit_code)"
    )
    arguments = [runs / "broken", "--baseline", runs / "last", "--junit", tmp_path / "gate.xml"]
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT)
    assert done.returncode == 1
    assert ET.parse(tmp_path / "gate.xml").getroot().get("failures") == "1"
