from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import maskgit.pretrained
from bench.cli import app
from bench.grid.spec import load_spec
from bench.init.proposal import check, propose
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError


@pytest.fixture
def project(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    """A folder with a checkpoint, a test set and a training folder, all under unusual names."""
    shutil.copytree(tiny_checkpoint, tmp_path / "checkpoints" / "mine")
    write_dataset(catfaces_test_set(6), tmp_path / "data")
    shutil.copytree(tmp_path / "data" / "test_gt", tmp_path / "data" / "train")
    return tmp_path


def bundled_folder() -> Path:
    return Path(maskgit.pretrained.__path__[0])


def written(folder: Path) -> Path:
    grid = folder / "grid.toml"
    grid.write_text(propose(folder, grid).toml, encoding="utf-8")
    check(grid)
    return grid


def test_what_is_found_becomes_a_grid_that_opens(project: Path) -> None:
    spec = load_spec(written(project))
    assert spec.model.checkpoint == ("checkpoints/mine",)
    assert spec.data.masks == Path("data/mask64")
    assert spec.data.masked_images == Path("data/masked_image")
    assert spec.data.ground_truth in (Path("data/test_gt"), Path("data/test_gt.csv"))
    assert spec.data.train == (Path("data/train"),)


def test_a_folder_that_cannot_be_decoded_with_is_passed_for_the_next(project: Path) -> None:
    """A tokenizer without a transformer, and a damaged checkpoint, come first by name."""
    shutil.copytree(bundled_folder() / "tokenizer", project / "checkpoints" / "a-tokenizer")
    shutil.copytree(project / "checkpoints" / "mine", project / "checkpoints" / "b-damaged")
    (project / "checkpoints" / "b-damaged" / "transformer.safetensors").write_bytes(b"")
    assert load_spec(written(project)).model.checkpoint == ("checkpoints/mine",)


def test_a_tokenizer_alone_is_no_model_and_the_proposal_says_why(project: Path) -> None:
    shutil.rmtree(project / "checkpoints")
    shutil.copytree(bundled_folder() / "tokenizer", project / "a-tokenizer")
    grid = written(project)
    assert load_spec(grid).model.checkpoint == ("cats64",)
    assert any("holds a tokenizer alone" in line for line in propose(project, grid).missing)


def test_the_polarity_of_masks_is_no_obstacle(project: Path) -> None:
    for path in (project / "data" / "mask64").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    grid = written(project)
    assert "masked_images" in grid.read_text(encoding="utf-8")
    assert any("white is the hole" in line for line in propose(project, grid).guesses)


def test_images_that_are_no_masked_ones_are_left_out(project: Path) -> None:
    masked = project / "data" / "masked_image"
    shutil.rmtree(masked)
    shutil.copytree(project / "data" / "test_gt", masked)
    assert load_spec(written(project)).data.masked_images is None


@pytest.mark.parametrize(("gone", "key", "value"), [("checkpoints", "model", "cats64"), ("data", "data", "catfaces")])
def test_what_is_missing_is_built_in_and_said(project: Path, gone: str, key: str, value: str) -> None:
    shutil.rmtree(project / gone)
    grid = written(project)
    assert value in str(getattr(load_spec(grid), key))
    assert len(propose(project, grid).missing) == 1


def test_a_folder_of_nothing_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither a checkpoint .* nor a test set") as caught:
        propose(tmp_path, tmp_path / "grid.toml")
    assert "\n" not in str(caught.value)


def test_paths_are_relative_to_the_file_that_is_written(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    grid = tmp_path_factory.mktemp("elsewhere") / "grid.toml"
    grid.write_text(propose(project, grid).toml, encoding="utf-8")
    check(grid)
    assert str(load_spec(grid).data.masks).startswith("..")


def test_the_command_never_replaces_a_grid_unasked(project: Path) -> None:
    invoke = CliRunner().invoke
    first = invoke(app, ["init", str(project)])
    assert first.exit_code == 0, first.output
    grid = project / "grid.toml"
    grid.write_text(grid.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    again = invoke(app, ["init", str(project)])
    assert again.exit_code == 2
    assert "--force" in again.output
    assert grid.read_text(encoding="utf-8").endswith("# mine\n")


def test_code_of_the_user_is_named_and_never_run(project: Path) -> None:
    (project / "layers.py").write_text(
        "raise RuntimeError\nclass Head: ...\nclass MultiHeadAttention: ...\n", encoding="utf-8"
    )
    proposal = propose(project, project / "grid.toml")
    assert "attention class: layers.py:MultiHeadAttention" in proposal.found


CASES = {
    "01-seed-qkv_layer": 'attention = "',
    "10-generate_qkv-interleaved": 'attention = "',
    "34-repo-tree-as-it-is": "best_val.pth",
    "33-epochs-in-one-folder": "epoch_*.pt",
    "40-mask-inverted": "masked_images",
    "45-full-images-as-input": "ground_truth",
    "70-unicode-and-spaces": "遮罩 64",
    "data": "masked_images",
}


@pytest.mark.parametrize("case", CASES)
def test_real_trees_give_grids_that_open(shared: Path, tmp_path: Path, case: str) -> None:
    grid = tmp_path / "grid.toml"
    proposal = propose(shared / "field-cases" / case, grid)
    grid.write_text(proposal.toml, encoding="utf-8")
    check(grid)
    assert CASES[case] in proposal.toml


@pytest.mark.parametrize("case", ["29-pickled-module", "61-fid-fewer-predictions"])
def test_trees_that_hold_no_grid_say_why(shared: Path, tmp_path: Path, case: str) -> None:
    with pytest.raises(InputError) as caught:
        propose(shared / "field-cases" / case, tmp_path / "grid.toml")
    assert "\n" not in str(caught.value)
