"""Bad input, as a user gives it: one clear line on stderr, exit code 2, nothing half-written."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from bench.cli import app
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE = """
[model]
checkpoint = "{checkpoint}"
[data]
masked_images = "faces/masked_image"
masks = "faces/mask64"
ground_truth = "faces/test_gt"
[grid]
{grid}
[metrics]
{metrics}
"""
GRID = 'gamma = "cosine"\ntotal_iter = 2'
METRICS = 'features = "efficientnet-lite0"'


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "faces"
    write_dataset(catfaces_test_set(4), folder)
    return folder


@pytest.fixture
def workplace(tmp_path: Path, dataset: Path, tiny_checkpoint: Path) -> Path:
    shutil.copytree(dataset, tmp_path / "faces")
    shutil.copytree(tiny_checkpoint, tmp_path / "model")
    return tmp_path


def refused(
    workplace: Path,
    *,
    grid: str = GRID,
    metrics: str = METRICS,
    checkpoint: str = "model",
    options: tuple[str, ...] = (),
) -> str:
    """Run the grid, see it refused in the documented way, and return the line."""
    path = workplace / "grid.toml"
    path.write_text(TEMPLATE.format(grid=grid, metrics=metrics, checkpoint=checkpoint), encoding="utf-8")
    output = workplace / "run"
    result = CliRunner().invoke(app, ["run", str(path), "--output", str(output), *options])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("maskbench: ")
    assert not output.exists(), "something was written"
    return lines[0]


@pytest.mark.parametrize(
    ("grid", "named"),
    [
        ("gama = 'cosine'", "grid.gama: unknown key; did you mean 'gamma'?"),
        ("gamma = 'cosinus'", "cosinus"),
        ("sweet_spot = [0]", "grid.sweet_spot"),
        ("sweet_spot = [-2]", "grid.sweet_spot: -2 is not a step"),
        ("sweet_spot = [-1.0]", "1.0 is the last step"),
        ("total_iter = [4, 8]\nsweet_spot = [9]", "above every total_iter"),
        ("sweet_spot = []", "grid.sweet_spot"),
        ("gamma = []", "grid.gamma"),
        ("[[grid.exclude]]\ngamma = 'cosine'", "no cell is left"),
    ],
)
def test_grids(workplace: Path, grid: str, named: str) -> None:
    assert named in refused(workplace, grid=grid)


@pytest.mark.parametrize("name", ["..", ".", "...", "a/b", "a b", ""])
def test_a_run_name_that_is_no_folder_name(workplace: Path, name: str) -> None:
    assert "run.name" in refused(workplace, metrics=f'{METRICS}\n[run]\nname = "{name}"')


@pytest.mark.parametrize("device", ["mps", "gpu", "cuda:", "cuda:x"])
def test_a_device_that_is_not_supported_is_blamed_on_the_option(workplace: Path, device: str) -> None:
    line = refused(workplace, options=("--device", device))
    assert line.startswith(f"maskbench: --device: execution.device: {device} is not supported; use auto, cpu, cuda")
    assert "grid.toml" in refused(workplace, metrics=f'{METRICS}\n[execution]\ndevice = "{device}"')


def test_a_home_of_nobody(workplace: Path) -> None:
    line = refused(workplace, metrics=f'{METRICS}\n[execution]\nstore = "~nobody-of-that-name/store"')
    assert "no such user" in line


def test_too_few_images_for_a_distance(workplace: Path) -> None:
    assert "2 images, 2 of them distinct" in refused(workplace, options=("--limit", "2"))


def test_too_few_faces_for_a_distance(tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(
        '[model]\ncheckpoint = "catfaces"\n[data]\ndataset = "catfaces"\n[metrics]\nfeatures = "efficientnet-lite0"\n'
    )
    result = CliRunner().invoke(app, ["plan", str(grid), "--limit", "2"])
    assert result.exit_code == 2
    assert "2 images, 2 of them distinct; a Fréchet distance and its error need at least 3" in result.stderr


def _image(folder: Path) -> Path:
    return folder / "faces" / "masked_image" / "image_002.png"


def _mask(folder: Path) -> Path:
    return folder / "faces" / "mask64" / "mask_002.png"


def _save_mask(folder: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels.astype(np.uint8)).save(_mask(folder))


def _read_mask(folder: Path) -> np.ndarray:
    return np.asarray(Image.open(_mask(folder)))


def _exchange_masks(folder: Path) -> None:
    masks = folder / "faces" / "mask64"
    (masks / "mask_000.png").rename(masks / "spare")
    _mask(folder).rename(masks / "mask_000.png")
    (masks / "spare").rename(_mask(folder))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing image": (lambda f: _image(f).unlink(), "2"),
    "truncated image": (lambda f: _image(f).write_bytes(_image(f).read_bytes()[:200]), "image_002.png"),
    "text as image": (lambda f: _image(f).write_text("no picture"), "image_002.png"),
    "zero bytes": (lambda f: _image(f).write_bytes(b""), "image_002.png"),
    "wrong size": (lambda f: Image.new("RGB", (32, 64)).save(_image(f)), "image_002.png"),
    "all hole": (lambda f: _save_mask(f, np.zeros((64, 64))), "mask_002.png"),
    "no hole": (lambda f: _save_mask(f, np.full((64, 64), 255)), "mask_002.png"),
    "grey mask": (lambda f: _save_mask(f, np.full((64, 64), 90)), "mask_002.png"),
    "inverted mask": (lambda f: _save_mask(f, 255 - _read_mask(f)), "mask_002.png"),
    "masks exchanged": (_exchange_masks, "_002.png"),
    "empty folder": (lambda f: [path.unlink() for path in (f / "faces" / "mask64").iterdir()], "mask64"),
    "no folder": (lambda f: shutil.rmtree(f / "faces" / "mask64"), "mask64"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_data(workplace: Path, damage: str) -> None:
    spoil, named = DAMAGE[damage]
    spoil(workplace)
    assert named in refused(workplace)


def _edit_tensors(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the transformer's tensors, and record the new sha256, as a training gone wrong would."""
    import hashlib
    import json

    path = folder / "model" / "transformer.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)
    manifest = json.loads((folder / "model" / "model.json").read_text())
    manifest["files"]["transformer"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "model" / "model.json").write_text(json.dumps(manifest))


CHECKPOINT_DAMAGE: dict[str, tuple[Callable[[dict[str, torch.Tensor]], object], str]] = {
    "missing tensor": (lambda tensors: tensors.pop("LN.weight"), "LN.weight"),
    "extra tensor": (lambda tensors: tensors.update(surplus=torch.zeros(2)), "surplus"),
    "NaN": (lambda tensors: tensors["LN.weight"].fill_(float("nan")), "LN.weight"),
    "wrong shape": (lambda tensors: tensors.update({"LN.weight": torch.ones(7)}), "LN.weight"),
}


@pytest.mark.parametrize("damage", CHECKPOINT_DAMAGE)
def test_checkpoint_tensors(workplace: Path, damage: str) -> None:
    edit, named = CHECKPOINT_DAMAGE[damage]
    _edit_tensors(workplace, edit)
    assert named in refused(workplace)


def test_checkpoint_of_other_bytes(workplace: Path) -> None:
    path = workplace / "model" / "transformer.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "transformer.safetensors" in refused(workplace)


def test_a_whole_set_that_is_not_square(workplace: Path) -> None:
    for path in (workplace / "faces").rglob("*.png"):
        Image.open(path).crop((0, 16, 64, 48)).save(path)
    assert "images of 64×32, but checkpoint tiny takes 64×64" in refused(workplace)


def test_a_python_model_of_another_size(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "half_size.py").write_text(
        "class Half:\n"
        "    image_size, cell, num_tokens, num_codes, fingerprint = 32, 4, 64, 48, 'half'\n"
        "    encode = logits = render = staticmethod(lambda batch: batch)\n"
        "def make():\n    return Half()\n"
    )
    monkeypatch.syspath_prepend(workplace)
    assert "takes 32×32" in refused(workplace, checkpoint="python:half_size:make")


def test_a_training_folder_that_is_not_there(workplace: Path) -> None:
    text = TEMPLATE.replace("[grid]", 'train = "gone"\n[grid]')
    path = workplace / "grid.toml"
    path.write_text(text.format(grid=GRID, metrics=METRICS, checkpoint="model"), encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(path), "--output", str(workplace / "run")])
    assert result.exit_code == 2
    assert "gone" in result.stderr
    assert not (workplace / "run").exists()


def test_no_checkpoint(workplace: Path) -> None:
    assert "nowhere" in refused(workplace, checkpoint="nowhere")


def test_a_pickle_of_something_else(workplace: Path, shared: Path) -> None:
    lab = workplace / "lab"
    lab.mkdir()
    for name in ("VQGAN.pt", "VQGAN.yml", "MaskGit.yml"):
        shutil.copy(shared / "lab-reference" / name, lab / name)
    (lab / "transformer.pt").write_bytes(pickle.dumps({"model": Path("surprise")}))
    assert "transformer.pt" in refused(workplace, checkpoint="lab")


def test_an_output_that_cannot_be_written(workplace: Path) -> None:
    (workplace / "file").touch()
    path = workplace / "grid.toml"
    path.write_text(TEMPLATE.format(grid=GRID, metrics=METRICS, checkpoint="model"), encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(path), "--output", str(workplace / "file" / "run")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "--output" in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU where there is none")
def test_a_gpu_where_there_is_none(workplace: Path) -> None:
    assert "cuda" in refused(workplace, options=("--device", "cuda"))


def test_fid_without_its_weights(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(workplace / "empty"))
    monkeypatch.setattr("bench.features.sources.INCEPTION_URL", (workplace / "gone" / "w-6726825d.pth").as_uri())
    line = refused(workplace, metrics="")
    assert "efficientnet-lite0" in line
    assert str(workplace / "empty") in line


def test_weights_that_are_not_the_known_ones(workplace: Path) -> None:
    (workplace / "weights.pth").write_bytes(b"other weights")
    assert "sha256" in refused(workplace, metrics='weights = "weights.pth"')


def test_a_store_that_cannot_be_written(workplace: Path) -> None:
    (workplace / "file").touch()
    assert "change execution.store" in refused(workplace, metrics=f'{METRICS}\n[execution]\nstore = "file/store"')


@pytest.mark.parametrize("key", ["tokenizer", "transformer", "tokenizer_config", "transformer_config"])
def test_a_file_of_the_lab_layout_that_is_not_there(workplace: Path, key: str) -> None:
    line = refused(workplace, checkpoint=f'model"\n{key} = "typo')
    assert f"model.{key}: no file" in line
    assert "typo" in line


@pytest.mark.parametrize("fault", ["weights", "store"])
def test_a_mistake_costs_no_finished_run(workplace: Path, fault: str) -> None:
    """What is found late, the extractor's tensors and the store's folder, still comes before the earlier result."""
    path, output = workplace / "grid.toml", workplace / "run"
    path.write_text(TEMPLATE.format(grid=GRID, metrics=METRICS, checkpoint="model"), encoding="utf-8")
    command = ["run", str(path), "--output", str(output), "--quiet", "--set", "execution.threads=1"]
    assert CliRunner().invoke(app, command).exit_code == 0
    before = {file: file.read_bytes() for file in output.rglob("*") if file.is_file()}
    if fault == "weights":
        (workplace / "w.pth").write_bytes(b"no tensors")
        metrics, named = 'weights = "w.pth"\nallow_unverified_weights = true', "w.pth"
    else:
        (workplace / "file").touch()
        metrics, named = f'{METRICS}\n[execution]\nstore = "file/store"', "change execution.store"
    path.write_text(TEMPLATE.format(grid=GRID, metrics=metrics, checkpoint="model"), encoding="utf-8")
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert named in line
    assert {file: file.read_bytes() for file in output.rglob("*") if file.is_file()} == before


def test_a_report_of_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_an_export_of_a_cell_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "out"), "--cell", "x"])
    assert result.exit_code == 2
    assert "run.json" in result.stderr
