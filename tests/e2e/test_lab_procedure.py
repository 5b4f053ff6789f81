"""The lab's own procedure, exported PNGs against the ground truth, gives the number of the run's in-memory path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from typer.testing import CliRunner

import bench
from bench.cli import app
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from pathlib import Path

GRID = """
[model]
checkpoint = {checkpoint}
[data]
{data}
[grid]
total_iter = 1
[metrics]
{metrics}
[throughput]
repeats = 1
[execution]
device = "cpu"
"""


def run_and_export(folder: Path, checkpoint: Path, data: str, metrics: str, *options: str) -> tuple[Path, float]:
    """Run a grid of one cell; the folder of its exported PNGs, and the run's own distance."""
    grid = folder / "grid.toml"
    grid.write_text(GRID.format(checkpoint=json.dumps(str(checkpoint)), data=data, metrics=metrics), encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(grid), "--output", str(folder / "run"), "--quiet", *options])
    assert result.exit_code == 0, result.output
    cells = bench.load(folder / "run").cells
    assert len(cells) == 1
    pictures = folder / "pictures"
    result = CliRunner().invoke(app, ["export", str(folder / "run"), str(pictures), "--cell", cells.cell_id[0]])
    assert result.exit_code == 0, result.output
    return pictures, float(cells.fd[0])


def measured(*arguments: str | Path) -> dict:
    options = ["--device", "cpu", "--no-cache", "--quiet", "--json"]
    result = CliRunner().invoke(app, ["fid", *map(str, arguments), *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_all_747_photographs_against_the_csv(shared: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    photographs = shared / "data" / "cat-faces-64"
    paths = {
        "masked_images": photographs / "masked_image",
        "masks": photographs / "mask64",
        "ground_truth": photographs / "test_gt.csv",
    }
    data = "\n".join(f"{key} = {json.dumps(str(path))}" for key, path in paths.items())
    pictures, expected = run_and_export(tmp_path, tiny_checkpoint, data, 'features = "efficientnet-lite0"')
    found = measured(pictures, paths["ground_truth"], "--paired", "--features", "efficientnet-lite0")
    assert (found["n_a"], found["n_b"], found["n_distinct"]) == (747, 747, 733)
    assert found["fd"] == pytest.approx(expected, rel=1e-9)


def test_inception_on_exported_pngs_in_either_order_of_operations(
    tiny_checkpoint: Path, random_inception: Path, tmp_path: Path
) -> None:
    count = 6
    write_dataset(catfaces_test_set(count), tmp_path / "faces")
    data = f'dataset = "catfaces"\ncount = {count}'
    metrics = f'features = "inception"\nweights = {json.dumps(str(random_inception))}'
    allowed = "--allow-unverified-weights"
    pictures, expected = run_and_export(tmp_path, tiny_checkpoint, data, metrics, allowed)
    weights = ("--weights", random_inception, allowed)
    found = measured(pictures, tmp_path / "faces" / "test_gt.csv", *weights)
    assert found["fd"] == pytest.approx(expected, rel=1e-9)
    strict = measured(pictures, tmp_path / "faces" / "test_gt", *weights, "--strict")
    assert strict["fd"] == pytest.approx(expected, rel=1e-4)

    for file in pictures.iterdir():  # what a lossy file does to the number: saving as JPEG is not the lab's procedure
        Image.open(file).save(file.with_suffix(".jpg"), quality=75)
        file.unlink()
    assert measured(pictures, tmp_path / "faces" / "test_gt", *weights)["fd"] != pytest.approx(expected, rel=1e-3)
