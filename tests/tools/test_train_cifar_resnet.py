"""The extractor's training: it learns, resumes a killed run exactly, and exports the weights it measured."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bench.features.cifar_resnet import CifarResNet, normalise
from maskgit.errors import InputError
from tools import train_cifar_resnet as training

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = training.Recipe(epochs=4, closing_epochs=1, batch_size=16, peak_lr=0.02, closing_lr=0.004)


@pytest.fixture
def data() -> training.Data:
    """Two classes of noise, dark and light: 48 training images and 16 test images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    images = torch.randint(0, 120, (64, 32, 32, 3), generator=generator) + 120 * labels.view(-1, 1, 1, 1)
    return {
        "train": (images[:48].to(torch.uint8), labels[:48]),
        "test": (images[48:].to(torch.uint8), labels[48:]),
    }


def test_a_killed_training_continues_as_if_undisturbed(
    data: training.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = tmp_path / "whole", tmp_path / "killed"
    for folder in folders:
        folder.mkdir()
    whole, whole_curve = training.train(data, folders[0], RECIPE)
    assert whole_curve[-1]["train_loss"] < whole_curve[0]["train_loss"]

    original, calls = training.augment, 0

    def killed_in_the_second_epoch(*arguments: object) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "augment", killed_in_the_second_epoch)
        training.train(data, folders[1], RECIPE)
    continued, curve = training.train(data, folders[1], RECIPE)

    assert [row["train_loss"] for row in curve] == [row["train_loss"] for row in whole_curve]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, continued.state_dict()[name]), name
    with pytest.raises(InputError, match="made with recipe"):
        training.train(data, folders[1], replace(RECIPE, epochs=5))


def test_export_records_the_accuracy_of_what_it_wrote(data: training.Data, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CifarResNet()
    config = training.export(model, data, {"note": 1}, tmp_path)
    assert config == json.loads((tmp_path / "config.json").read_text())
    assert config["note"] == 1
    assert config["parameters"] == sum(p.numel() for p in model.parameters())
    rounded = CifarResNet()
    rounded.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    assert config["test_accuracy"] == training.accuracy(rounded, *data["test"])


def test_augmented_images_are_crops_and_flips_of_the_padded_ones() -> None:
    """In an image whose colours encode positions, every pixel's neighbour is one step away, or mirrored."""
    ramp = torch.arange(40)
    blue = torch.full((40, 40), 255)
    padded = torch.stack([ramp.view(-1, 1).expand(40, 40), ramp.expand(40, 40), blue], -1)
    rows = torch.zeros(64, dtype=torch.int64)
    out = training.augment(padded[None].to(torch.uint8), rows, 0, torch.Generator().manual_seed(0))
    level = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1).expand(256, 3, 1, 1)
    table = normalise(level)[:, :, 0, 0]
    positions = torch.stack([(out[:, c, ..., None] - table[:, c]).abs().argmin(-1) for c in range(2)], 1)
    assert (positions[:, 0].diff(dim=1) == 1).all()
    across = positions[:, 1].diff(dim=2).flatten(1)
    assert all(len(steps.unique()) == 1 for steps in across)
    assert set(across[:, 0].tolist()) == {1, -1}
    assert 0.2 < (across[:, 0] == -1).float().mean() < 0.8
    assert len(positions[:, 0].amin((1, 2)).unique()) > 4


def test_cutout_takes_one_square_to_the_mean_colour_and_nothing_else() -> None:
    padded = torch.randint(256, (4, 40, 40, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    rows = torch.arange(4).repeat(64)
    whole = training.augment(padded, rows, 0, torch.Generator().manual_seed(0))
    cut = training.augment(padded, rows, 12, torch.Generator().manual_seed(0))
    inside = (cut != whole).any(1)
    assert (cut[~inside[:, None].expand_as(cut)] == whole[~inside[:, None].expand_as(cut)]).all()
    assert (cut[inside[:, None].expand_as(cut)] == 0).all()
    height, width = inside.any(2).sum(1), inside.any(1).sum(1)
    assert (inside.sum((1, 2)) == height * width).all(), "no rectangle"
    assert height.max() == width.max() == 12
    assert min(height.min(), width.min()) >= 6, "a centre lies outside"


def test_cutmix_pastes_one_box_of_a_partner_and_says_how_much_is_left() -> None:
    """Images filled with their own index, so that every pixel identifies its image."""
    labels = torch.arange(8)
    shares = []
    for seed in range(200):
        plain = labels.float().view(8, 1, 1, 1).expand(8, 3, 32, 32).clone()
        mixed, partner, own = training.cutmix(plain, labels, torch.Generator().manual_seed(seed))
        assert sorted(partner.tolist()) == labels.tolist()
        pasted = (mixed == partner.view(8, 1, 1, 1)) & (partner != labels).view(8, 1, 1, 1)
        assert ((mixed == labels.view(8, 1, 1, 1)) | pasted).all()
        for box in pasted[partner != labels]:
            assert box.float().mean() == pytest.approx(1 - own)
            assert box.sum() == 3 * box[0].any(1).sum() * box[0].any(0).sum(), "no rectangle"
        shares.append(own)
    assert min(shares) < 0.3
    assert max(shares) > 0.95
    assert 0.5 < sum(shares) / len(shares) < 0.9


def test_learning_rate_rises_to_the_peak_then_falls_to_zero_and_closes_with_another_line() -> None:
    recipe = replace(RECIPE, epochs=80, closing_epochs=20)
    rates = [training.learning_rate(epoch, recipe) for epoch in range(101)]
    assert rates[0] == rates[80] == rates[100] == 0
    assert max(rates) == pytest.approx(recipe.peak_lr)
    assert rates.index(max(rates)) == 16
    assert all(a < b for a, b in pairwise(rates[:17]))
    assert all(a > b for a, b in pairwise(rates[16:81]))
    assert all(a > b for a, b in pairwise(rates[81:]))
    assert training.learning_rate(80 + 1e-9, recipe) == pytest.approx(recipe.closing_lr)


def test_the_closing_epochs_mix_nothing(data: training.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, mixed = training.cutmix, []
    monkeypatch.setattr(training, "cutmix", lambda *arguments: mixed.append(1) or original(*arguments))
    training.train(data, tmp_path, replace(RECIPE, epochs=1, closing_epochs=2, cutmix=1.0))
    assert len(mixed) == 48 // 16


def test_missing_file_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.parquet: no such file"):
        training.read_cifar(tmp_path / "none.parquet")
    pq.write_table(pa.table({"image": [b""], "label": [0]}), tmp_path / "two.parquet")
    with pytest.raises(InputError, match="column split missing"):
        training.read_cifar(tmp_path / "two.parquet")
