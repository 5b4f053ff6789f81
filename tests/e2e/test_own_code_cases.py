"""Field cases that take the user's own code, or several files of one training: run as they are given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.results.folder import RunFolder

FACTORY = """
import torch
import maskgit
from attention import attend

FINGERPRINT = "mine-1"

class Mine:
    def __init__(self, inner):
        self.inner = inner
        for name in ("num_tokens", "num_codes", "image_size", "cell", "encode", "render"):
            setattr(self, name, getattr(inner, name))
    def logits(self, tokens):
        return torch.cat([attend(self.inner, row[None]) for row in tokens])

def load():
    return Mine(maskgit.load_model("catfaces", "cpu"))
"""
ATTENTION = """
def attend(model, tokens):
    return model.logits(tokens).tanh()
"""


def run(grid: Path, output: Path, *options: str) -> RunFolder:
    result = CliRunner().invoke(app, ["run", str(grid), "--output", str(output), "--quiet", *options])
    assert result.exit_code == 0, result.output + result.stderr
    return bench.load(output)


def names(folder: RunFolder) -> list[str]:
    return [checkpoint.name for checkpoint in folder.record.checkpoints]


def report(output: Path) -> str:
    result = CliRunner().invoke(app, ["report", str(output), "--format", "markdown"])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def cases(shared: Path) -> Path:
    return shared / "field-cases"


def test_the_authors_attention_class_is_run_and_the_report_says_so(cases: Path, tmp_path: Path) -> None:
    done = run(cases / "01-seed-qkv_layer" / "own.toml", tmp_path / "run")
    assert names(done) == ["model"] and len(done.cells) == 1
    text = report(tmp_path / "run")
    assert "user's own class MultiHeadAttention" in text and "layers.py" in text


def test_several_epochs_with_one_tokenizer_are_an_axis(cases: Path, tmp_path: Path) -> None:
    assert names(run(cases / "33-epochs-in-one-folder" / "grid.toml", tmp_path / "list")) == ["epoch_10", "epoch_20"]


def test_a_pattern_names_every_epoch(cases: Path, tmp_path: Path) -> None:
    shutil.copytree(cases / "33-epochs-in-one-folder", tmp_path / "case", copy_function=shutil.copyfile)
    grid = tmp_path / "case" / "grid.toml"
    (tmp_path / "case").chmod(0o755)
    text = grid.read_text()
    listed = next(line for line in text.splitlines() if line.startswith("transformer ="))
    text = text.replace(listed, 'transformer = "repo/transformer_checkpoints/epoch_*.pt"')
    tokenizer = cases / "33-epochs-in-one-folder" / "repo/models/VQGAN/checkpoints/VQGAN.pt"
    text = text.replace('"repo/models/VQGAN/checkpoints/VQGAN.pt"', f'"{tokenizer}"').replace(
        '"../data', f'"{cases}/data'
    )
    (tmp_path / "case" / "pattern.toml").write_text(text)
    result = CliRunner().invoke(app, ["plan", str(tmp_path / "case" / "pattern.toml")])
    assert result.exit_code == 0, result.output + result.stderr
    assert all(f"epoch_{number}" in result.output for number in (10, 20, 30))


def test_the_files_of_a_checkout_named_one_by_one(cases: Path, tmp_path: Path) -> None:
    assert names(run(cases / "34-repo-tree-as-it-is" / "grid.toml", tmp_path / "run")) == ["best_val"]


@pytest.mark.parametrize("spec", ["python:my_maskgit:load", "python:./my_maskgit.py:load"])
def test_a_factory_beside_the_grid_decodes_with_a_class_of_its_own(cases: Path, tmp_path: Path, spec: str) -> None:
    text = (cases / "88-python-factory" / "grid.toml").read_text()
    assert "python:my_maskgit:load" in text
    text = text.replace("python:my_maskgit:load", spec).replace('"../data', f'"{cases}/data')
    (tmp_path / "grid.toml").write_text(text)
    (tmp_path / "my_maskgit.py").write_text(FACTORY)
    (tmp_path / "attention.py").write_text(ATTENTION)
    done = run(tmp_path / "grid.toml", tmp_path / "run")
    assert names(done) == ["my_maskgit:load"] and done.cells.fd.notna().all()
