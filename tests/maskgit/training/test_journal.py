"""What a training tells: TensorBoard holds what curves.csv does, and the pictures."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from maskgit.training import journal as journal_module
from maskgit.training.journal import Journal
from maskgit.training.tokenizer_stage import train_tokenizer
from maskgit.training.transformer_stage import train_transformer

if TYPE_CHECKING:
    from pathlib import Path


def board_and_curves(folder: Path) -> tuple[EventAccumulator, dict[str, dict[int, float]]]:
    curves: dict[str, dict[int, float]] = {}
    with (folder / "curves.csv").open() as file:
        for row in csv.DictReader(file):
            curves.setdefault(row["name"], {})[int(row["step"])] = float(row["value"])
    return EventAccumulator(str(folder / "tensorboard")).Reload(), curves


def same_scalars(board: EventAccumulator, curves: dict[str, dict[int, float]]) -> None:
    assert set(board.Tags()["scalars"]) == set(curves)
    for name, values in curves.items():
        assert {event.step: event.value for event in board.Scalars(name)} == pytest.approx(values, rel=1e-5), name


def test_tensorboard_of_a_tokenizer_holds_losses_rates_and_reconstructions(
    tokenizer_recipe: Path, tmp_path: Path
) -> None:
    train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")
    board, curves = board_and_curves(tmp_path / "out")
    same_scalars(board, curves)
    assert {"l1", "l2", "commitment", "adversarial", "discriminator", "lr", "psnr_catfaces_db"} <= set(curves)
    assert list(curves["lr"]) == list(curves["l1"]) == [1, 2, 3, 4, 5, 6]
    pictures = board.Images("reconstruction_catfaces")
    assert [(event.step, event.width, event.height) for event in pictures] == [(3, 128, 128), (6, 128, 128)]


def test_tensorboard_of_a_transformer_holds_losses_rates_and_filled_holes(
    transformer_recipe: Path, tmp_path: Path
) -> None:
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "out")
    board, curves = board_and_curves(tmp_path / "out")
    same_scalars(board, curves)
    assert set(curves) == {"loss", "gradient_norm", "lr", "val_loss", "score", "hole_loss", "hole_accuracy"}
    assert list(curves["lr"]) == list(curves["loss"]) == list(range(1, 9))
    pictures = board.Images("one_step_fill")
    assert [(event.step, event.width, event.height) for event in pictures] == [(4, 256, 192), (8, 256, 192)]


def test_a_validation_is_printed_with_and_without_pictures_and_a_step_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(tmp_path, step=0, steps=9, print_s=99.0) as journal:
        journal.record(1, {"loss": 3.0}, 0.1)
        journal.record(2, {"val_loss": 2.5}, 0.2, {})
        journal.record(3, {"val_loss": 2.25}, 0.3, {"grid": torch.zeros(3, 4, 4, dtype=torch.uint8)})
    assert capsys.readouterr().out == "step 2  val_loss 2.5\nstep 3  val_loss 2.25\n"


def test_without_tensorboard_the_curves_are_kept_and_a_note_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal_module, "installed", lambda module: False)
    with Journal(tmp_path, step=0, steps=1, print_s=60.0) as journal:
        journal.record(1, {"loss": 0.5}, 1.0, {"hole": torch.zeros(3, 8, 8, dtype=torch.uint8)})
    assert "pip install 'maskbench[train]'" in capsys.readouterr().out
    assert not (tmp_path / "tensorboard").exists()
    assert "loss" in (tmp_path / "curves.csv").read_text()
