"""The whole path through the lab layout: checkpoint, CSV and folders; and the same after `maskbench import`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

import bench
from bench.cli import app

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
features = "cifar-resnet"
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
