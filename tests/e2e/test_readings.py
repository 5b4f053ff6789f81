"""A lab checkpoint whose row order nothing says: measured by a run, said in its reports, kept for what reopens it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import bench
from bench.cli import app
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.model import MaskGIT
from tests.maskgit.checkpoints.relaid import fused, write_lab

GRID = """
[model]
checkpoint = "lab"
{declared}
[data]
dataset = "catfaces"
limit = 6
[grid]
total_iter = 2
sweet_spot = 1
[metrics]
features = ["efficientnet-lite0"]
[throughput]
repeats = 1
checks = 0
warm_up = 0
[execution]
device = "cpu"
tile = 6
batch_size = 1
threads = 1
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in the lab layout, q, k and v fused head by head under a name that says nothing."""
    model = load_model(locate("catfaces", Path()))
    assert isinstance(model, MaskGIT)
    folder = tmp_path_factory.mktemp("readings")
    heads = model.transformer.config.n_heads
    write_lab(folder / "lab", model, lambda state: fused(state, heads, "make", by_head=True))
    for name, declared in {"open": "", "right": 'order = "heads"', "wrong": 'order = "qkv"'}.items():
        (folder / f"{name}.toml").write_text(GRID.format(declared=declared))
    return folder


def test_a_run_measures_the_order_and_says_so_and_show_reopens_it(folder: Path) -> None:
    output = folder / "run"
    assert invoke("plan", str(folder / "open.toml"), "--output", str(output)).exit_code == 0
    result = invoke("run", str(folder / "open.toml"), "--output", str(output), "--quiet")
    assert result.exit_code == 0, result.output
    record = json.loads((output / "run.json").read_text())
    assert "decided by measurement" in record["checkpoints"][0]["reading"][-1]
    assert not any("no better than" in text for text in record["warnings"])
    shown = invoke("report", str(output), "--format", "markdown")
    assert "row order heads" in shown.output
    assert "nats per token on 6 images" in shown.output
    cell = bench.load(output).cells.cell_id.iloc[0]
    exported = invoke("export", str(output), str(folder / "images"), "--cell", cell)
    assert exported.exit_code == 0, exported.output
    planned = invoke("plan", str(folder / "right.toml"), "--output", str(output), "--json")
    assert json.loads(planned.output)["stored_trajectories"] == {
        "complete": 1,
        "all": 1,
    }  # the declared reading is the measured one


def test_a_wrong_declaration_stops_the_run(folder: Path) -> None:
    result = invoke("run", str(folder / "wrong.toml"), "--output", str(folder / "stopped"), "--quiet")
    assert result.exit_code == 2
    assert not (folder / "stopped" / "run.json").exists()
    message = " ".join(result.output.split())
    assert "order = 'qkv' reads clearly worse than 'heads'" in message
    assert "write order = 'heads'" in message


def test_plan_refuses_weights_that_a_run_would_refuse(folder: Path) -> None:
    (folder / "lab" / "epoch.pt").write_bytes((folder / "lab" / "transformer.pt").read_bytes()[:-4000])
    (folder / "damaged.toml").write_text(GRID.format(declared='transformer = "lab/epoch.pt"'))
    result = invoke("plan", str(folder / "damaged.toml"))
    assert result.exit_code == 2
    assert "damaged" in result.output


def test_import_takes_the_files_and_the_reading(folder: Path) -> None:
    lab, out = folder / "lab", folder / "native"
    files = ["--transformer", str(lab / "transformer.pt"), "--transformer-config", str(lab / "MaskGit.yml")]
    files += ["--tokenizer", str(lab / "VQGAN.pt"), "--tokenizer-config", str(lab / "VQGAN.yml")]
    refused = invoke("import", str(lab), str(out))
    assert refused.exit_code == 2
    assert "row order of make is open" in " ".join(refused.output.split())
    result = invoke("import", *files, "--order", "heads", "--attention", "qkv=make,out=proj", str(out))
    assert result.exit_code == 0, result.output
    assert "row order heads" in result.output
    model, original = (load_model(locate(spec, Path())) for spec in (str(out), "catfaces"))
    assert isinstance(model, MaskGIT)
    assert isinstance(original, MaskGIT)
    state = original.transformer.state_dict()
    assert all((tensor == state[key]).all() for key, tensor in model.transformer.state_dict().items())
    assert any("row order heads" in line for line in model.reading)
