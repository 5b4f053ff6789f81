"""`maskbench import` with the author's code: our reading is compared with it, and only an equal one is written."""

from __future__ import annotations

import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from bench.cli import app

_spec = spec_from_file_location("checkout", Path(__file__).with_name("checkout.py"))
assert _spec is not None
assert _spec.loader is not None
checkout = module_from_spec(_spec)
_spec.loader.exec_module(checkout)

CLASS = "models/Transformer/modules/layers.py:MultiHeadAttention"


@pytest.fixture
def repo(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shared / "lab-reference", tmp_path / "lab", copy_function=shutil.copyfile)
    root: Path = checkout.write_checkout(tmp_path / "repo", shared / "lab-reference")
    torch.set_num_threads(threads)
    return root


def imported(*options: str) -> Result:
    return CliRunner().invoke(app, ["import", "lab", "out", *options])


def test_an_equal_reading_is_written_and_said(repo: Path) -> None:
    result = imported("--attention-class", f"repo/{CLASS}", "--code", "repo")
    assert result.exit_code == 0, result.output
    assert result.output.count("equal to repo") == 2
    assert "max |Δ logit|" in result.output
    assert (repo.parent / "out" / "model.json").exists()


@pytest.mark.parametrize("option", [("--attention-class", f"repo/{CLASS}"), ("--code", "repo")])
def test_another_arithmetic_is_refused_with_how_far_it_is_off(repo: Path, option: tuple[str, str]) -> None:
    layers = repo / CLASS.partition(":")[0]
    layers.write_text(layers.read_text().replace(".transpose(1, 2).reshape(B, N, D)", ".reshape(B, N, D)"))
    result = imported(*option)
    assert result.exit_code == 2
    assert not (repo.parent / "out").exists()
    (message,) = result.stderr.splitlines()
    assert "our reading differs from repo" in message
    assert "max |Δ logit|" in message
    assert "% of places" in message


def test_code_that_cannot_run_is_said(repo: Path) -> None:
    result = imported("--attention-class", "repo/gone.py:Class")
    assert "--attention-class" in result.stderr
    assert not (repo.parent / "out").exists()
