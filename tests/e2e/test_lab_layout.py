"""The whole path through the lab layout: checkpoint, CSV and folders; and the same after `maskbench import`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from typer.testing import CliRunner

import bench
from bench.cli import app

if TYPE_CHECKING:
    import pytest

GRID = """
[model]
checkpoint = {checkpoint}
[data]
masked_images = {data}/masked_image"
masks = {data}/mask64"
ground_truth = {data}/test_gt.csv"
limit = 5
[grid]
gamma = ["cosine", "linear", "square"]
total_iter = 2
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
[execution]
tile = 4
threads = 1
device = "cpu"
"""


def run(folder: Path, checkpoint: Path, shared: Path) -> pd.DataFrame:
    data = json.dumps(str(shared / "data" / "cat-faces-64"))[:-1]
    grid = folder / f"{checkpoint.name}.toml"
    grid.write_text(GRID.format(checkpoint=json.dumps(str(checkpoint)), data=data), encoding="utf-8")
    output = folder / f"run-{checkpoint.name}"
    result = CliRunner().invoke(app, ["run", str(grid), "--output", str(output), "--quiet"])
    assert result.exit_code == 0, result.output
    return bench.load(output).cells


def test_a_lab_folder_runs_and_its_import_gives_the_same_numbers(shared: Path, tmp_path: Path) -> None:
    lab = shared / "lab-reference"
    result = CliRunner().invoke(app, ["import", str(lab), str(tmp_path / "imported")])
    assert result.exit_code == 0, result.output
    direct, imported = run(tmp_path, lab, shared), run(tmp_path, tmp_path / "imported", shared)
    assert len(direct) == 3 * 2
    numbers = ["gamma", "sweet_spot", "fd", "psnr_hole_db", "token_accuracy"]
    pd.testing.assert_frame_equal(direct[numbers], imported[numbers], check_exact=True)


def test_explicit_files_from_a_grid_in_a_relative_folder(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths start from the grid's folder, whatever the current one; the folder's own files stand in where none is named."""
    lab = shared / "lab-reference"
    (tmp_path / "configs" / "files").mkdir(parents=True)
    for name, copy in (
        ("VQGAN.pt", "a.pt"),
        ("transformer.pt", "b.pt"),
        ("VQGAN.yml", "c.yml"),
        ("MaskGit.yml", "d.yml"),
    ):
        shutil.copy(lab / name, tmp_path / "configs" / "files" / copy)
    files = {"tokenizer": "a.pt", "transformer": "b.pt", "tokenizer_config": "c.yml", "transformer_config": "d.yml"}
    named = "\n".join(f'{key} = "files/{name}"' for key, name in files.items())
    in_place = f'checkpoint = {json.dumps(str(lab))}\ntransformer = "files/b.pt"'
    monkeypatch.chdir(tmp_path)
    data = json.dumps(str(shared / "data" / "cat-faces-64"))[:-1]
    for number, model in enumerate((named, in_place)):
        grid = Path("configs") / f"grid{number}.toml"
        text = GRID.replace("checkpoint = {checkpoint}", "{model}").format(model=model, data=data)
        grid.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(app, ["plan", str(grid), "--json"])
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["run", "configs/grid0.toml", "--output", "run", "--quiet"])
    assert result.exit_code == 0, result.output
    assert bench.load(Path("run")).record.checkpoints[0].name == "b"
