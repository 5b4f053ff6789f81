"""Field cases that take the user's own code, or several files of one training: run as they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import bench
from bench.cli import app

if TYPE_CHECKING:
    from pathlib import Path

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


def run(case: Path, folder: Path, grid: str = "grid.toml", **changes: str) -> RunFolder:
    """Run a case's grid on its own files, on one thread, with some texts of it changed; the run lies in `folder`/run."""
    text = (case / grid).read_text(encoding="utf-8")
    for old, new in {**changes, "tile = 4": "tile = 4\nthreads = 1"}.items():
        assert old in text
        text = text.replace(old, new)
    for written, place in {"repo/": case, "model": case, "layers.py": case, "../data": case}.items():
        text = text.replace(f'"{written}', f'"{place}/{written}')
    (folder / "grid.toml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(folder / "grid.toml"), "--output", str(folder / "run"), "--quiet"])
    assert result.exit_code == 0, result.output + result.stderr
    return bench.load(folder / "run")


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
    done = run(cases / "01-seed-qkv_layer", tmp_path, "own.toml")
    assert names(done) == ["model"]
    assert len(done.cells) == 1
    text = report(tmp_path / "run")
    assert "user's own class MultiHeadAttention" in text
    assert "layers.py" in text


EPOCHS = '["repo/transformer_checkpoints/epoch_10.pt", "repo/transformer_checkpoints/epoch_20.pt"]'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (EPOCHS, ["epoch_10", "epoch_20"]),
        ('"repo/transformer_checkpoints/epoch_*.pt"', ["epoch_10", "epoch_20", "epoch_30"]),
    ],
)
def test_several_epochs_with_one_tokenizer_are_an_axis(
    cases: Path, tmp_path: Path, written: str, expected: list[str]
) -> None:
    assert names(run(cases / "33-epochs-in-one-folder", tmp_path, **{EPOCHS: written})) == expected


def test_the_files_of_a_checkout_named_one_by_one(cases: Path, tmp_path: Path) -> None:
    assert names(run(cases / "34-repo-tree-as-it-is", tmp_path)) == ["best_val"]


@pytest.mark.parametrize("spec", ["python:my_maskgit:load", "python:./my_maskgit.py:load"])
def test_a_factory_beside_the_grid_decodes_with_a_class_of_its_own(cases: Path, tmp_path: Path, spec: str) -> None:
    (tmp_path / "my_maskgit.py").write_text(FACTORY)
    (tmp_path / "attention.py").write_text(ATTENTION)
    done = run(cases / "88-python-factory", tmp_path, **{"python:my_maskgit:load": spec})
    assert names(done) == ["my_maskgit:load"]
    assert done.cells.fd.notna().all()
    assert "the model is the user's own code" in report(tmp_path / "run")


def test_the_refusal_of_an_expression_names_the_way_that_runs(cases: Path, tmp_path: Path) -> None:
    case, expression = cases / "80-own-gamma", '"1 - log((e - 1) * r + 1)"'
    refused = CliRunner().invoke(app, ["plan", str(case / "grid.toml")])
    assert refused.exit_code == 2
    assert "python:./file.py:function" in refused.stderr
    (tmp_path / "mine.py").write_text("from math import e, log\ndef slow(r): return 1 - log((e - 1) * r + 1)\n")
    done = run(
        case,
        tmp_path,
        **{expression: '"python:./mine.py:slow"', "../../lab-reference": f"{cases.parent}/lab-reference"},
    )
    assert done.cells.gamma.tolist() == ["python:./mine.py:slow"]
    assert done.cells.fd.notna().all()
