"""Bad input is found before a model is loaded and before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from maskgit.data.demo import catfaces
from maskgit.errors import InputError
from maskgit.training import tokenizer_stage, transformer_stage
from maskgit.training.tokenizer_stage import train_tokenizer
from maskgit.training.transformer_stage import train_transformer

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["tokenizer", "transformer"])
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recipe(stage: str, request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(f"{stage}_recipe"))


@pytest.fixture
def train(stage: str) -> Callable[..., None]:
    return {"tokenizer": train_tokenizer, "transformer": train_transformer}[stage]


@pytest.fixture
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    for module, name in (
        (tokenizer_stage, "load_tokenizer"),
        (tokenizer_stage, "PerceptualDistance"),
        (transformer_stage, "load_tokenizer"),
        (transformer_stage, "load_model"),
    ):
        monkeypatch.setattr(module, name, loaded)


@pytest.mark.usefixtures("no_models")
def test_bad_pictures_are_all_named_before_a_model_is_loaded_or_a_folder_made(
    recipe: Path, train: Callable[..., None], tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(catfaces.render(np.arange(4))):
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"{number}.png")
    Image.new("RGB", (32, 32)).save(folder / "1.png")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    text = recipe.read_text().replace("[data]", '[data]\nfolders = ["pictures"]')
    recipe.write_text(text + 'perceptual_weights = "vgg.pth"\n' if train is train_tokenizer else text)
    with pytest.raises(InputError) as caught:
        train(recipe, resume=False, output=tmp_path / "out")
    message = str(caught.value)
    assert message.startswith("2 problems in ")
    assert "\n" not in message
    assert "pictures/1.png: 32×32 pixels, want 64×64" in message
    assert "pictures/2.png: truncated" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU where there is none")
@pytest.mark.usefixtures("no_models")
def test_a_gpu_where_there_is_none_is_refused_before_anything_is_written(
    stage: str, recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text(recipe.read_text() + 'device = "cuda:1"\n')
    result = CliRunner().invoke(app, ["train", stage, str(recipe), "--output", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "device = 'cuda:1': this machine has no such GPU" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_device_is_refused(recipe: Path, train: Callable[..., None], tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text() + 'device = "gpu"\n')
    with pytest.raises(InputError, match=r"train\.device = 'gpu'"):
        train(recipe, resume=False, output=tmp_path / "out")


def test_an_output_folder_that_cannot_be_made_is_named(
    recipe: Path, train: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.out: cannot be written"):
        train(recipe, resume=False, output=tmp_path / "file" / "out")
