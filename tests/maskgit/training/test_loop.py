"""The loop: resumed = undisturbed bit for bit, learning rate, batches, averages."""

from __future__ import annotations

import csv
import itertools
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from maskgit.checkpoints.locate import locate_tokenizer
from maskgit.errors import CheckpointError, InputError
from maskgit.training import tokenizer_stage, transformer_stage
from maskgit.training.loop import (
    batch_indices,
    learning_rate_ratio,
    load_state,
    save_state,
    seeded,
    update_average,
)
from maskgit.training.tokenizer_stage import TokenizerStage, train_tokenizer
from maskgit.training.transformer_stage import TransformerStage, train_transformer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


class Killed(BaseException):
    """As abrupt as a kill: nothing catches it."""


def killed_at(monkeypatch: pytest.MonkeyPatch, stage: type, step: int) -> None:
    original: Any = stage.train_step

    def dying(self: Any, at: int, lr_ratio: float) -> dict[str, float]:
        if at == step:
            raise Killed
        return original(self, at, lr_ratio)

    monkeypatch.setattr(stage, "train_step", dying)


def flat(state: Any) -> dict[str, Any]:
    """Every leaf of a training state by its place."""
    if isinstance(state, dict):
        pairs = state.items()
    elif isinstance(state, list | tuple):
        pairs = enumerate(state)
    else:
        return {"": state}
    return {f"{key}.{place}": leaf for key, value in pairs for place, leaf in flat(value).items()}


def same_training(a: Path, b: Path) -> None:
    left, right = flat(load_state(a / "state.pt")), flat(load_state(b / "state.pt"))
    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, right[key]), key
        elif not key.startswith("seconds"):
            assert value == right[key], key
    files = sorted(path.name for path in (a / "checkpoint").glob("*.safetensors"))
    assert files
    for file in files:
        first, second = load_file(a / "checkpoint" / file), load_file(b / "checkpoint" / file)
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert curves(a) == curves(b)


def curves(folder: Path) -> list[tuple[str, str, str]]:
    with (folder / "curves.csv").open() as file:
        return [(row["step"], row["name"], row["value"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("kill", [1, 4])
def test_killed_and_resumed_tokenizer_equals_one_never_disturbed(
    tokenizer_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: int
) -> None:
    # A state after every step; the kill of step 4 comes once the discriminator is trained too.
    often = tokenizer_recipe.read_text() + "checkpoint_s = 0\n"
    tokenizer_recipe.write_text(often)
    train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        killed_at(patch, TokenizerStage, kill)
        with pytest.raises(Killed):
            train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "killed")
    train_tokenizer(tokenizer_recipe, resume=True, output=tmp_path / "killed")
    same_training(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize("kill", [3, 6])
def test_killed_and_resumed_transformer_equals_one_never_disturbed(
    transformer_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: int
) -> None:
    transformer_recipe.write_text(transformer_recipe.read_text() + "checkpoint_s = 0\n")
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        killed_at(patch, TransformerStage, kill)
        with pytest.raises(Killed):
            train_transformer(transformer_recipe, resume=False, output=tmp_path / "killed")
    train_transformer(transformer_recipe, resume=True, output=tmp_path / "killed")
    same_training(tmp_path / "whole", tmp_path / "killed")


def command(recipe: Path, output: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "bench.cli", "train", "transformer", str(recipe), "--output", str(output), *options]


def wait_for_step(process: subprocess.Popen[bytes], state: Path, step: int) -> None:
    """Until a state of at least that step is there; it is replaced whole, so it can be read at any moment."""
    deadline = time.monotonic() + 120
    while not (state.exists() and load_state(state)["step"] >= step):
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "no state within two minutes"
        time.sleep(0.01)


def test_a_process_killed_for_real_and_resumed_equals_one_never_disturbed(
    transformer_recipe: Path, tmp_path: Path
) -> None:
    """SIGKILL, in a process of its own: nothing can be put in order, and nothing in memory helps afterwards."""
    text = transformer_recipe.read_text().replace("steps = 8", "steps = 40")
    transformer_recipe.write_text(text + "checkpoint_s = 0\n")
    alike: dict[str, Any] = {"cwd": ROOT, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    subprocess.run(command(transformer_recipe, tmp_path / "whole"), check=True, **alike)
    with subprocess.Popen(command(transformer_recipe, tmp_path / "killed"), **alike) as process:
        wait_for_step(process, tmp_path / "killed" / "state.pt", 3)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 3 <= load_state(tmp_path / "killed" / "state.pt")["step"] < 40
    subprocess.run(command(transformer_recipe, tmp_path / "killed", "--resume"), check=True, **alike)
    same_training(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.parametrize(
    ("name", "train", "second"), [("tokenizer", train_tokenizer, 6), ("transformer", train_transformer, 8)]
)
def test_an_export_stopped_between_weights_and_manifest_is_repaired_by_resuming(
    name: str,
    train: Callable[..., None],
    second: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """The second export, after the one of step 3 or 4: new weights are in place, `model.json` is still of the old ones."""
    recipe: Path = request.getfixturevalue(f"{name}_recipe")
    recipe.write_text(recipe.read_text() + "checkpoint_s = 0\n")
    train(recipe, resume=False, output=tmp_path / "whole")
    manifest, replace = tmp_path / "killed" / "checkpoint" / "model.json", Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if target == manifest and manifest.exists():
            raise Killed
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        with pytest.raises(Killed):
            train(recipe, resume=False, output=tmp_path / "killed")
    assert load_state(tmp_path / "killed" / "state.pt")["step"] == second - 1
    assert (manifest.parent / f"{name}.safetensors").read_bytes() == (
        tmp_path / "whole" / "checkpoint" / f"{name}.safetensors"
    ).read_bytes()
    with pytest.raises(CheckpointError, match=r"the file is damaged or a different one"):
        locate_tokenizer(str(manifest.parent), tmp_path)
    train(recipe, resume=True, output=tmp_path / "killed")
    same_training(tmp_path / "whole", tmp_path / "killed")
    locate_tokenizer(str(manifest.parent), tmp_path)


def test_steps_lost_since_the_last_state_are_done_again(
    transformer_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Curves written after the last state do not stand twice, and the lost steps come out the same."""
    text = transformer_recipe.read_text()
    transformer_recipe.write_text(text + "checkpoint_s = 0\n")
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        killed_at(patch, TransformerStage, 2)
        with pytest.raises(Killed):
            train_transformer(transformer_recipe, resume=False, output=tmp_path / "killed")
    transformer_recipe.write_text(text + "checkpoint_s = 1000\n")
    with monkeypatch.context() as patch:
        killed_at(patch, TransformerStage, 7)  # after the validation of step 4
        with pytest.raises(Killed):
            train_transformer(transformer_recipe, resume=True, output=tmp_path / "killed")
    assert load_state(tmp_path / "killed" / "state.pt")["step"] == 2
    transformer_recipe.write_text(text + "checkpoint_s = 0\n")
    train_transformer(transformer_recipe, resume=True, output=tmp_path / "killed")
    assert curves(tmp_path / "killed") == curves(tmp_path / "whole")
    last = load_state(tmp_path / "killed" / "state.pt")["stage"]["model"]
    other = load_state(tmp_path / "whole" / "state.pt")["stage"]["model"]
    assert all(torch.equal(last[key], other[key]) for key in last)


def test_an_interrupted_training_saves_at_the_end_of_its_step_and_goes_on_as_if_undisturbed(
    transformer_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "whole")
    update: Any = transformer_stage.update_average

    def interrupting(average: Any, model: Any, decay: float, step: int) -> None:
        if step == 2:  # between the step of the optimiser and that of the average
            signal.raise_signal(signal.SIGINT)
        update(average, model, decay, step)

    with monkeypatch.context() as patch:
        patch.setattr(transformer_stage, "update_average", interrupting)
        with pytest.raises(KeyboardInterrupt):
            train_transformer(transformer_recipe, resume=False, output=tmp_path / "killed")
    assert load_state(tmp_path / "killed" / "state.pt")["step"] == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train_transformer(transformer_recipe, resume=True, output=tmp_path / "killed")
    same_training(tmp_path / "whole", tmp_path / "killed")


def test_a_training_is_not_overwritten_nor_continued_as_another(tokenizer_recipe: Path, tmp_path: Path) -> None:
    train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")
    with pytest.raises(InputError, match="--resume"):
        train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")
    tokenizer_recipe.write_text(tokenizer_recipe.read_text().replace("batch = 2", "batch = 3"))
    with pytest.raises(InputError, match=r"train\.batch was 2 .* and is 3 now"):
        train_tokenizer(tokenizer_recipe, resume=True, output=tmp_path / "out")
    (tmp_path / "out" / "state.pt").write_bytes(b"not a state")
    with pytest.raises(InputError, match=r"state\.pt: is not a training checkpoint"):
        train_tokenizer(tokenizer_recipe, resume=True, output=tmp_path / "out")


def test_a_state_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})

    def torn(state: object, file: Any) -> None:
        file.write(b"half")
        raise Killed

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(Killed):
        save_state(path, {"step": 2})
    assert load_state(path) == {"step": 1}


def test_a_loss_that_is_not_finite_stops_with_a_remedy(
    transformer_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TransformerStage, "accumulate_gradients", lambda *_: math.nan)
    with pytest.raises(InputError, match=r"loss is not finite; lower train\.lr"):
        train_transformer(transformer_recipe, resume=False, output=tmp_path / "out")


def test_both_stages_draw_from_streams_of_their_own() -> None:
    streams = [
        value
        for module in (tokenizer_stage, transformer_stage)
        for name, value in vars(module).items()
        if name.startswith("STREAM_")
    ]
    assert len(streams) == len(set(streams)) == 6
    draws = {
        int(torch.randint(2**60, (1,), generator=seeded(s, k, c))) for s in (0, 1) for k in (0, 1) for c in streams
    }
    assert len(draws) == 24


def test_an_epoch_shows_every_image_once_in_a_new_order() -> None:
    epochs = [np.concatenate([batch_indices(12, 4, 7, 3 * e + k) for k in range(3)]) for e in range(2)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert list(epochs[0]) != list(epochs[1])
    assert len(batch_indices(3, 8, 0, 5)) == 8


def test_learning_rate_rises_to_its_peak_and_falls_to_its_floor() -> None:
    ratios = [learning_rate_ratio(step, warmup=10, steps=100, floor=0.1) for step in range(101)]
    assert np.allclose(ratios[:10], np.arange(1, 11) / 10)
    assert max(ratios) == ratios[10] == 1.0
    assert all(a > b for a, b in itertools.pairwise(ratios[10:]))
    assert math.isclose(ratios[100], 0.1)


def test_average_follows_the_weights_quickly_at_first_and_slowly_later() -> None:
    model, average = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.zeros_(average.weight)
    update_average(average, model, 0.999, step=0)
    assert math.isclose(average.weight.item(), 0.9, rel_tol=1e-6)
    torch.nn.init.zeros_(average.weight)
    update_average(average, model, 0.999, step=10**6)
    assert math.isclose(average.weight.item(), 0.001, rel_tol=1e-4)
