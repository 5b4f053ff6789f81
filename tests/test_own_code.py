"""The examples of docs/own-code.md run as they are written."""

from __future__ import annotations

import math
import re
import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import bench
from bench.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/own-code.md").read_text(encoding="utf-8")
SETTINGS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
PROGRAMS = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
REST = """
[data]
dataset = "catfaces"
count = 4
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
[execution]
device = "cpu"
threads = 1
tile = 4
"""
METRICS = '[metrics]\nfeatures = "efficientnet-lite0"\n'
T = 2
EXPECTED = (
    ["my-model"],
    ["my-checkout"],
    ["model:load"],
    ["catfaces"],
    ["catfaces"],
    ["epoch_9", "epoch_10"],
)
"""Names of the checkpoints of each example, in the order of the page."""


@pytest.fixture(scope="module")
def project(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the page speaks of: a lab model, a checkout, epochs, and the page's own programs."""
    folder, lab = tmp_path_factory.mktemp("project"), shared / "lab-reference"
    shutil.copytree(lab, folder / "my-model", copy_function=shutil.copyfile)
    state = torch.load(lab / "transformer.pt", weights_only=True)
    for block in range(2):
        head = f"blocks.{block}.Attention."
        for kind in ("weight", "bias"):
            parts = [state.pop(f"{head}{name}.{kind}") for name in ("q_proj", "k_proj", "v_proj")]
            state |= {f"{head}qkv.{kind}": torch.cat(parts), f"{head}proj.{kind}": state.pop(f"{head}out_proj.{kind}")}
    torch.save(state, folder / "my-model" / "transformer.pt")
    (folder / "epochs").mkdir()
    for number in (9, 10):
        torch.save({"model": state, "epoch": number}, folder / "epochs" / f"epoch_{number}.pt")
    spec = spec_from_file_location("checkout", ROOT / "tests/maskgit/checkpoints/checkout.py")
    assert spec is not None
    assert spec.loader is not None
    checkout = module_from_spec(spec)
    spec.loader.exec_module(checkout)
    checkout.write_checkout(folder / "my-checkout", lab)
    for name, text in PROGRAMS:
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_page_holds_the_examples_that_are_tried() -> None:
    assert len(SETTINGS) == len(EXPECTED)
    assert [name for name, _ in PROGRAMS] == [
        "layers.py",
        "model.py",
        "my_gammas.py",
        "my_features.py",
        "my_metrics.py",
    ]
    assert all(len(text.strip().splitlines()) <= 26 for _, text in PROGRAMS)


@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_an_example_runs(project: Path, number: int) -> None:
    grid = project / f"grid{number}.toml"
    steps = "" if "[grid]" in SETTINGS[number] else "[grid]\n"
    rest = REST.replace(METRICS, "") if "[metrics]" in SETTINGS[number] else REST
    grid.write_text(f"{SETTINGS[number]}{steps}total_iter = {T}\nsweet_spot = {T}\n{rest}", encoding="utf-8")
    for command in (["plan", str(grid)], ["run", str(grid), "--output", str(project / f"run{number}"), "--quiet"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    run = bench.load(project / f"run{number}")
    assert [checkpoint.name for checkpoint in run.record.checkpoints] == EXPECTED[number]
    assert run.cells.fd.notna().all()


def passes_of_a_second_command(project: Path, number: int) -> int:
    """Passes of the same command again, which finds its own run by recorded values."""
    arguments = ["run", str(project / f"grid{number}.toml"), "--output", str(project / f"run{number}"), "--quiet"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return bench.load(project / f"run{number}").record.counts["transformer_passes_run"]


def test_the_gamma_of_the_page_decodes_by_its_values_and_the_report_says_so(project: Path) -> None:
    """A table through the same values decodes the same; a finished run needs the file no more."""
    number = EXPECTED.index(["catfaces"])
    half = 1 - math.log((math.e - 1) / 2 + 1)
    own, table = "python:./my_gammas.py:steep", f"table:1,{half!r},0"
    grid = project / "table.toml"
    text = SETTINGS[number].replace(own, table)
    grid.write_text(f"{text}total_iter = {T}\nsweet_spot = {T}\n{REST}", encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(grid), "--output", str(project / "table"), "--quiet"])
    assert result.exit_code == 0, result.output
    assert passes_of_a_second_command(project, number) == 0
    (project / "my_gammas.py").rename(project / "gone.py")
    run = bench.load(project / f"run{number}")
    scores = run.cells.set_index("gamma").score
    assert scores[own] == bench.load(project / "table").cells.set_index("gamma").score[table]
    assert scores[own] != scores["cosine"]
    assert run.cells.set_index("gamma").gamma_values[own] == f"1.0,{half!r},0.0"
    assert all(cell_id.startswith(("steep-2-2-", "cosine-2-2-")) for cell_id in run.cells.cell_id)
    for form in ("markdown", "html"):
        result = CliRunner().invoke(
            app, ["report", str(run.path), "--format", form, "--output", str(project / "report")]
        )
        assert result.exit_code == 0, result.output
        assert ":steep is the user" in (project / "report").read_text(encoding="utf-8")
    (project / "gone.py").rename(project / "my_gammas.py")


def test_the_features_and_the_metric_of_the_page_are_measured_and_the_report_says_whose_they_are(project: Path) -> None:
    number = len(EXPECTED) - 2
    assert "extra" in SETTINGS[number]
    run = bench.load(project / f"run{number}")
    features, metric = "python:./my_features.py:colours", "python:./my_metrics.py:nearest"
    assert run.record.primary.dim == 48
    rows = run.metrics[run.metrics.metric == metric]
    assert set(rows.features) == {features, "efficientnet-lite0"}
    assert rows.value.between(0, 1).all()
    assert rows.se.notna().all()
    assert metric in set(run.table("references")["metric"].to_pylist())
    result = CliRunner().invoke(app, ["report", str(run.path), "--format", "markdown"])
    assert result.exit_code == 0, result.output
    text = result.stdout.replace("\\_", "_")
    assert f"The features {features} were computed by the user's own code" in text
    assert f"The metric {metric} was computed by the user's own code." in text
    assert passes_of_a_second_command(project, number) == 0


def test_the_attention_of_the_page_is_none_that_is_read_by_itself(project: Path) -> None:
    """It joins the heads in its own way, so the example shows something that takes the class."""
    from maskgit.checkpoints.locate import locate
    from maskgit.checkpoints.native import load_model

    ours, own = (load_model(locate("my-model", project, attention=a)) for a in (None, "layers.py:MultiHeadAttention"))
    tokens = torch.randint(65, (1, 256), generator=torch.Generator().manual_seed(0))
    assert (ours.logits(tokens) - own.logits(tokens)).abs().max() > 0.01
