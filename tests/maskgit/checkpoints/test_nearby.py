"""A transformer's file as a checkpoint: its tokenizer and configs are found around it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from maskgit.checkpoints.locate import locate
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path


def refusal(base: Path, spec: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        locate(spec, base)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def checkout(shared: Path, tmp_path: Path) -> Path:
    """The lab's usual tree: four files in four folders."""
    root = tmp_path / "checkout"
    for name, place in {
        "transformer.pt": "transformer_checkpoints/epoch_20.pt",
        "MaskGit.yml": "config/MaskGit.yml",
        "VQGAN.yml": "models/VQGAN/config/VQGAN.yml",
        "VQGAN.pt": "models/VQGAN/checkpoints/VQGAN.pt",
    }.items():
        (root / place).parent.mkdir(parents=True)
        shutil.copyfile(shared / "lab-reference" / name, root / place)
    return root


def test_a_file_in_a_lab_folder_is_that_folder(shared: Path) -> None:
    by_file, by_folder = locate("lab-reference/transformer.pt", shared), locate("lab-reference", shared)
    assert by_file.fingerprint == by_folder.fingerprint
    assert (by_file.name, by_folder.name) == ("transformer", "lab-reference")


@pytest.mark.parametrize("configured", [False, True])
def test_the_files_of_a_checkout_are_found(shared: Path, checkout: Path, configured: bool) -> None:
    if configured:  # another model is nearer by name, but the config says which one it is
        config = (checkout / "config" / "MaskGit.yml").read_text()
        assert "path: VQGAN.pt" in config
        assert "path: VQGAN.yml" in config
        config = config.replace("path: VQGAN.pt", "path: models\\VQGAN\\checkpoints\\VQGAN.pt")
        config = config.replace("path: VQGAN.yml", "path: models/VQGAN/config/VQGAN.yml")
        (checkout / "config" / "MaskGit.yml").write_text(config)
        for name in ("VQGAN.pt", "VQGAN.yml"):
            (checkout / name).write_text("of another model")
    checkpoint = locate("checkout/transformer_checkpoints/epoch_20.pt", checkout.parent)
    assert checkpoint.name == "epoch_20"
    assert checkpoint.fingerprint == locate("lab-reference", shared).fingerprint


def test_nothing_is_taken_from_beyond_the_checkout(checkout: Path) -> None:
    (checkout / "transformer_checkpoints" / ".git").mkdir()
    message = refusal(checkout, "transformer_checkpoints/epoch_20.pt")
    assert "MaskGit.yml" in message
    assert "model.transformer_config" in message


def test_without_a_tokenizer_the_transformers_file_is_to_hold_it(checkout: Path) -> None:
    (checkout / "models/VQGAN/checkpoints/VQGAN.pt").unlink()
    assert "tokenizer" not in locate("transformer_checkpoints/epoch_20.pt", checkout).files


def test_what_is_missing_or_open_is_said(checkout: Path) -> None:
    shutil.copytree(checkout / "models/VQGAN", checkout / "models/VQGAN-old")
    message = refusal(checkout, "transformer_checkpoints/epoch_20.pt")
    assert "several" in message
    assert "VQGAN-old" in message
    assert "model.tokenizer" in message
    shutil.rmtree(checkout / "models")
    message = refusal(checkout, "transformer_checkpoints/epoch_20.pt")
    assert "VQGAN.yml" in message
    assert "model.tokenizer_config" in message
