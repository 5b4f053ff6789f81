"""The axis of checkpoints: places, and epochs of one training."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from bench.grid.spec import Spec, parse_spec
from bench.run.inputs import find_checkpoints
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def spec(**model: Any) -> Spec:
    return parse_spec({"model": model, "data": {"dataset": "catfaces"}}, "grid.toml")


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    for name in ("VQGAN.pt", "VQGAN.yml", "MaskGit.yml"):
        shutil.copyfile(shared / "lab-reference" / name, tmp_path / name)
    (tmp_path / "epochs").mkdir()
    for number in (1, 9, 10, 100):
        data = (shared / "lab-reference" / "transformer.pt").read_bytes()
        (tmp_path / "epochs" / f"epoch_{number}.pt").write_bytes(data + bytes(number))
    (tmp_path / "epochs" / "best_val.pt").write_bytes(data)
    return tmp_path


NAMED = {"tokenizer": "VQGAN.pt", "tokenizer_config": "VQGAN.yml", "transformer_config": "MaskGit.yml"}


@pytest.mark.parametrize("place", [{"checkpoint": "."}, NAMED])
def test_epochs_of_a_pattern_are_checkpoints_in_the_order_of_their_numbers(folder: Path, place: dict[str, str]) -> None:
    checkpoints = find_checkpoints(spec(transformer="epochs/epoch_*.pt", **place), folder)
    assert list(checkpoints) == ["epoch_1", "epoch_9", "epoch_10", "epoch_100"]
    assert len({checkpoint.fingerprint for checkpoint in checkpoints.values()}) == 4
    assert {checkpoint.files["tokenizer"] for checkpoint in checkpoints.values()} == {folder / "VQGAN.pt"}
    assert all(checkpoint.name == name for name, checkpoint in checkpoints.items())


def test_a_list_keeps_its_order_and_names_each_file_once(folder: Path) -> None:
    listed = ["epochs/epoch_100.pt", "epochs/best*.pt", "epochs/epoch_?.pt", "epochs/epoch_*.pt"]
    names = list(find_checkpoints(spec(transformer=listed, checkpoint="."), folder))
    assert names == ["epoch_100", "best_val", "epoch_1", "epoch_9", "epoch_10"]


def test_equal_names_are_shown_with_their_folders(folder: Path) -> None:
    shutil.copytree(folder / "epochs", folder / "other")
    names = list(find_checkpoints(spec(transformer=["*/epoch_9.pt", "epochs/epoch_1.pt"], checkpoint="."), folder))
    assert names == ["epochs/epoch_9.pt", "other/epoch_9.pt", "epoch_1"]


def test_a_single_file_goes_by_its_folders_name_as_ever(folder: Path) -> None:
    assert list(find_checkpoints(spec(transformer="epochs/epoch_9.pt", checkpoint="."), folder)) == [folder.name]
    assert list(find_checkpoints(spec(transformer="epochs/epoch_9.pt", **NAMED), folder)) == ["epoch_9"]


def test_files_of_weights_are_checkpoints_too(folder: Path) -> None:
    files = [f"epochs/epoch_{number}.pt" for number in (9, 10)]
    assert list(find_checkpoints(spec(checkpoint=files), folder)) == ["epoch_9", "epoch_10"]


def test_a_name_with_brackets_is_a_file_where_there_is_one(folder: Path) -> None:
    (folder / "epochs" / "epoch_9.pt").rename(folder / "epochs" / "epoch[9].pt")
    assert list(find_checkpoints(spec(transformer="epochs/epoch[9].pt", **NAMED), folder)) == ["epoch[9]"]


@pytest.mark.parametrize(
    "pattern", ["epochs/step_*.pt", "nowhere/*.pt", "epochs/gone.pt", ["epochs/epoch_1.pt", "x*.pt"]]
)
def test_no_match_is_said_in_one_line(folder: Path, pattern: Any) -> None:
    with pytest.raises(InputError, match=r"^model\.transformer") as caught:
        find_checkpoints(spec(transformer=pattern, checkpoint="."), folder)
    assert len(str(caught.value).splitlines()) == 1


def test_a_run_file_that_says_null_is_read_as_no_file() -> None:
    assert spec(checkpoint="cats64", transformer=None).model.transformer == ()


def test_a_name_that_tables_cannot_hold_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    manifest = folder / "model.json"
    manifest.write_text(manifest.read_text().replace('"name": "tiny"', '"name": "mod\\udce8le"'))
    with pytest.raises(InputError, match="not valid UTF-8; rename the folder") as refusal:
        find_checkpoints(spec(checkpoint="model"), tmp_path)
    assert str(refusal.value).isprintable()


def test_more_steps_than_a_table_holds_are_refused() -> None:
    raw = {"model": {"checkpoint": "m"}, "data": {"dataset": "catfaces"}, "grid": {"total_iter": 3_000_000_000}}
    with pytest.raises(InputError, match=r"total_iter.*10000"):
        parse_spec(raw, "grid.toml")
