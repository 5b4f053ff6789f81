"""`python:` checkpoints: a factory in a file beside the grid, or in a module."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from maskgit.checkpoints.locate import is_undeclared, locate
from maskgit.checkpoints.native import load_model
from maskgit.errors import CheckpointError
from maskgit.model import MaskedImageModel

FACTORY = """
import torch
from sizes import CODES

class Model:
    num_tokens, num_codes, image_size, cell = 64, CODES, 32, 4
    def encode(self, images_u8): return torch.zeros(len(images_u8), 64, dtype=torch.int64)
    def logits(self, tokens):
        from later import LEVEL
        return torch.full((len(tokens), 64, CODES + 1), LEVEL)
    def render(self, tokens): return torch.zeros(len(tokens), 3, 32, 32, dtype=torch.uint8)

def make(): return Model()
def half(): return object()
def fails(): raise KeyError("weights")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_model.py").write_text(FACTORY)
    (tmp_path / "sizes.py").write_text("CODES = 24\n")
    (tmp_path / "later.py").write_text("LEVEL = 1.5\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "deep.py").write_text(FACTORY)
    return tmp_path


def refusal(folder: Path, spec: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_model(locate(spec, folder))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("python:./my_model.py:make", "my_model:make"),
        ("python:my_model.py:make", "my_model:make"),
        ("python:pack/deep.py:make", "deep:make"),
        ("python:my_model:make", "my_model:make"),
        ("python:pack.deep:make", "pack.deep:make"),
    ],
)
def test_a_file_beside_the_grid_is_loaded_in_isolation(folder: Path, spec: str, name: str) -> None:
    before = set(sys.modules)
    checkpoint = locate(spec, folder)
    assert checkpoint.name == name
    assert is_undeclared(checkpoint.fingerprint)
    model = load_model(checkpoint)
    assert isinstance(model, MaskedImageModel)
    assert model.logits(torch.zeros(2, 64, dtype=torch.int64)).unique().tolist() == [1.5]
    assert not {"my_model", "sizes", "later", "pack"} & (set(sys.modules) - before)


def test_the_grids_folder_never_shadows_an_installed_module(folder: Path) -> None:
    (folder / "yaml.py").write_text(FACTORY)
    assert "no function make in yaml" in refusal(folder, "python:yaml:make")
    assert load_model(locate("python:./yaml.py:make", folder)).num_codes == 24


def test_a_module_declares_its_fingerprint(folder: Path) -> None:
    (folder / "my_model.py").write_text(FACTORY + "FINGERPRINT = 'v1'\n")
    assert load_model(locate("python:./my_model.py:make", folder)).fingerprint == "v1"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("python:./gone.py:make", "no file"),
        ("python:gone:make", "python:./path/to/file.py:make"),
        ("python:./my_model.py:absent", "has no class or function absent"),
        ("python:./my_model.py:half", "num_tokens"),
        ("python:./my_model.py:fails", "KeyError: 'weights'"),
        ("python:./my_model.py", "must read"),
        ("python:./my_model.py:", "must read"),
        ("python:pack:make", "no module pack"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder: Path, spec: str, said: str) -> None:
    message = refusal(folder, spec)
    assert said in message
    assert "PYTHONPATH" not in message


def test_no_message_of_the_product_speaks_of_the_python_path_variable() -> None:
    root = Path(__file__).resolve().parents[3]
    pages = [*root.glob("maskgit/**/*.py"), *root.glob("bench/**/*.py"), *root.glob("docs/*.md"), root / "README.md"]
    assert len(pages) > 100
    speaking = [page.name for page in pages if "PYTHONPATH" in page.read_text(encoding="utf-8")]
    assert speaking == ["ray_pool.py"]  # it sets the variable for its workers
