"""The built wheel in a clean environment, run from a folder that holds modules named like ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch

import bench

ROOT = Path(__file__).resolve().parents[2]

MODEL = """
import torch
import bench, maskgit

class Model:
    num_tokens, num_codes, image_size, cell = 256, maskgit.CODES, 64, bench.CELL
    def encode(self, images_u8):
        grey = images_u8.float().mean(1)[:, 2::4, 2::4].flatten(1)
        return (grey * (self.num_codes - 1) / 255).long()
    def logits(self, tokens):
        return torch.zeros(len(tokens), 256, self.num_codes + 1)
    def render(self, tokens):
        grey = (tokens * 255 // (self.num_codes - 1)).to(torch.uint8).view(-1, 1, 16, 16)
        return grey.repeat_interleave(4, 2).repeat_interleave(4, 3).expand(-1, 3, -1, -1)

def factory():
    return Model()
"""
GRID = """
[model]
checkpoint = "python:./model.py:factory"
[data]
dataset = "catfaces"
count = 4
[grid]
total_iter = 2
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
[execution]
device = "cpu"
threads = 1
tile = 4
"""


def quiet(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds our wheel, over the packages of this one."""
    source, home = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("environment")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "maskgit"):
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", "dist", "."]
    done = quiet(*build, cwd=source)
    if "No module named" in done.stderr:
        pytest.skip(
            f"NO WHEEL: pip or setuptools is absent, so the installed program was not tried ({done.stderr[-80:]})"
        )
    assert done.returncode == 0, done.stderr
    venv.create(home, with_pip=False)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    (site,) = [*home.glob("lib/python*/site-packages"), *home.glob("Lib/site-packages")]
    (site / "shared.pth").write_text(str(Path(torch.__file__).parents[1]))
    wheel = next((source / "dist").glob("*.whl"))
    into = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-index", "--no-deps", wheel]
    done = quiet(*into, cwd=source)
    assert done.returncode == 0, done.stderr
    return programs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a `bench.py` and a `maskgit/` of their own."""
    (tmp_path / "maskgit").mkdir()
    for name, text in {
        "bench.py": "CELL = 4\n",
        "maskgit/__init__.py": "CODES = 32\n",
        "model.py": MODEL,
        "grid.toml": GRID,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_program_runs_a_factory_beside_modules_named_like_ours(installed: Path, folder: Path) -> None:
    done = quiet(installed / "maskbench", "run", "grid.toml", "--output", "run", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    cells = bench.load(folder / "run").cells
    assert len(cells) == 2
    assert cells.fd.notna().all()


def test_a_library_that_hides_ours_is_named(installed: Path, folder: Path) -> None:
    (folder / "bench.py").unlink()
    for command in (("-c", "import bench"), ("-m", "bench.cli", "--help")):
        done = quiet(installed / "python", *command, cwd=folder)
        assert done.returncode == 1
        message = done.stderr.splitlines()[-1]
        assert str(folder / "maskgit" / "__init__.py") in message
        assert "rename" in message
    assert len(done.stderr.splitlines()) == 1


def test_a_harness_that_hides_ours_is_named_and_the_library_works(installed: Path, folder: Path) -> None:
    shutil.rmtree(folder / "maskgit")
    done = quiet(installed / "python", "-c", "from maskgit import schedules; print(schedules.__name__)", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.split() == ["maskgit.schedules"]
    assert str(folder / "bench.py") in done.stderr
    assert "rename" in done.stderr


def test_each_is_quiet_where_nothing_is_hidden(installed: Path, tmp_path: Path) -> None:
    for code in ("import maskgit, bench", "import bench, maskgit"):
        done = quiet(installed / "python", "-c", f"{code}; print(bench.__file__)", cwd=tmp_path)
        assert done.returncode == 0
        assert not done.stderr
        assert Path(done.stdout.strip()).is_relative_to(installed.parent)
