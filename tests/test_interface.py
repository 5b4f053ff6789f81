"""The Python face of both packages: what it offers, that it is what the command line does, that it stays what it is."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import bench
import maskgit
from bench.cli import app
from maskgit.data.testset import catfaces_test_set

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("package", [bench, maskgit])
def test_everything_that_is_announced_is_there(package: object) -> None:
    assert all(hasattr(package, name) for name in package.__all__)  # type: ignore[attr-defined]
    assert not hasattr(package, "nonsense")


def test_functions_stay_functions_when_packages_of_their_names_are_imported() -> None:
    for name in ("run", "fid", "gate"):
        importlib.import_module(f"bench.{name}")
        assert callable(getattr(bench, name))


def test_both_packages_and_the_command_line_have_the_version_of_the_distribution() -> None:
    try:
        expected = version("maskbench")
    except PackageNotFoundError:
        expected = "0+unknown"
    assert bench.__version__ == maskgit.__version__ == expected
    assert CliRunner().invoke(app, ["--version"]).stdout == f"maskbench {expected}\n"


@pytest.mark.parametrize("command", [[], ["run"], ["train"], ["train", "tokenizer"], ["baseline", "save"]])
def test_h_is_help(command: list[str]) -> None:
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0
    assert short.stdout == long.stdout


def test_both_packages_say_that_they_are_typed() -> None:
    assert all((ROOT / package / "py.typed").is_file() for package in ("bench", "maskgit"))


def test_one_call_gives_the_bytes_of_the_harness(small_run: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    run = bench.load(small_run)
    test_set = catfaces_test_set(len(run.test_set))
    images, holes = torch.from_numpy(test_set.masked), torch.from_numpy(test_set.hole)
    model = maskgit.load_model(tiny_checkpoint, "cpu")
    for number, cell in enumerate(run.cells.itertuples()):
        painted = maskgit.inpaint(
            model, images, holes, gamma=cell.gamma, total_iter=cell.total_iter, sweet_spot=cell.sweet_spot,
            seed=cell.seed, tile=run.spec.execution.tile, paste=cell.compose == "paste",
        )  # fmt: skip
        folder = tmp_path / str(number)
        result = CliRunner().invoke(app, ["export", str(small_run), str(folder), "--cell", cell.cell_id])
        assert result.exit_code == 0, result.output
        exported = np.stack([np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))])
        assert np.array_equal(painted.permute(0, 2, 3, 1).numpy(), exported), cell.cell_id


def test_the_interface_measures_what_the_commands_print(small_run: Path, tmp_path: Path) -> None:
    outcome = bench.gate(small_run, small_run)
    assert not outcome.failed
    strict = bench.gate(small_run, small_run, max_score=1e-9)
    assert strict.failed
    view = bench.compare(small_run, small_run)
    assert len(view.runs) == 2
    result = CliRunner().invoke(app, ["data", "catfaces", str(tmp_path / "faces"), "--count", "4"])
    assert result.exit_code == 0
    truth = tmp_path / "faces" / "test_gt.csv"
    assert bench.fid(truth, truth, features="efficientnet-lite0", device="cpu").scores.value == pytest.approx(
        0, abs=1e-6
    )
