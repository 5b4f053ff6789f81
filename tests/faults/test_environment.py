"""The surroundings of a command: paths of any script, a home that takes no files, TOML written on Windows."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bench.cli import app
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from pathlib import Path

GRID = """
[model]
checkpoint = '{0}/model'
[data]
masked_images = '{0}/faces/masked_image'
masks = '{0}/faces/mask64'
ground_truth = '{0}/faces/test_gt.csv'
[grid]
total_iter = 2
sweet_spot = -1
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
warm_up = 0
[execution]
device = "cpu"
threads = 1
tile = 4
"""


@pytest.fixture
def workplace(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    folder = tmp_path / "我的 模型 (黃) [1]"
    write_dataset(catfaces_test_set(4), folder / "faces")
    shutil.copytree(tiny_checkpoint, folder / "model")
    (tmp_path / "grid.toml").write_text(GRID.format(folder.name), encoding="utf-8")
    return tmp_path


def test_a_run_needs_no_home_and_any_path_will_do(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = workplace / "home"
    home.touch()
    monkeypatch.setenv("HOME", str(home))
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    run = workplace / "結果 (1)"
    result = CliRunner().invoke(app, ["run", str(workplace / "grid.toml"), "--output", str(run), "--quiet"])
    assert result.exit_code == 0, result.output
    assert (run / "cells.parquet").is_file()
    faces = next(workplace.glob("我*")) / "faces"
    sides = [str(faces / "masked_image"), str(faces / "test_gt.csv")]
    result = CliRunner().invoke(app, ["fid", *sides, "--features", "efficientnet-lite0", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("FD (efficientnet-lite0) ")
    assert result.stderr.count("features are not cached") == 1
    result = CliRunner().invoke(app, ["report", str(run), "--format", "html"])
    assert result.exit_code == 0, result.output


def test_how_the_data_was_read_is_in_the_report_of_a_run(workplace: Path) -> None:
    masks = next(workplace.glob("我*")) / "faces" / "mask64"
    (masks / "Thumbs.db").touch()
    plan = CliRunner().invoke(app, ["plan", str(workplace / "grid.toml")])
    assert "skipped 1 system file (Thumbs.db)" in plan.stdout
    run = workplace / "run"
    result = CliRunner().invoke(app, ["run", str(workplace / "grid.toml"), "--output", str(run), "--quiet"])
    assert result.exit_code == 0, result.output
    assert "skipped 1 system file (Thumbs.db)" in (run / "run.json").read_text()


def test_a_grid_written_on_windows(workplace: Path) -> None:
    grid = workplace / "grid.toml"
    text = grid.read_text(encoding="utf-8")
    grid.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    result = CliRunner().invoke(app, ["plan", str(grid)])
    assert result.exit_code == 0, result.output
    grid.write_text(text.replace("'我的 模型 (黃) [1]/model'", '"C:\\Users\\me\\model"'), encoding="utf-8")
    result = CliRunner().invoke(app, ["plan", str(grid)])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "write paths with / or in 'single quotes'" in line
