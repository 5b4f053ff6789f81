"""Trainings on a GPU: what is drawn at random is the CPU's, and a training may change its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from maskgit.training.loop import load_state
from maskgit.training.tokenizer_stage import train_tokenizer
from maskgit.training.transformer_stage import train_transformer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def first_losses(folder: Path) -> list[float]:
    lines = (folder / "curves.csv").read_text().splitlines()[1:]
    return [float(line.split(",")[2]) for line in lines if line.startswith("1,")]


@needs_a_gpu
@pytest.mark.parametrize(("name", "train"), [("tokenizer", train_tokenizer), ("transformer", train_transformer)])
def test_a_gpu_trains_as_the_cpu_does_and_either_goes_on_from_the_other(
    name: str, train: Callable[..., None], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    recipe: Path = request.getfixturevalue(f"{name}_recipe")
    text = recipe.read_text()
    for device, other in (("cpu", "cuda"), ("cuda", "cpu")):
        out = tmp_path / device
        recipe.write_text(text + f'device = "{device}"\n')
        train(recipe, resume=False, output=out)
        more = text.replace("steps = 6", "steps = 9").replace("steps = 8", "steps = 12")
        recipe.write_text(more + f'device = "{other}"\n')
        train(recipe, resume=True, output=out)
        assert load_state(out / "state.pt")["step"] in (9, 12)
    assert first_losses(tmp_path / "cuda") == pytest.approx(first_losses(tmp_path / "cpu"), rel=1e-2)
