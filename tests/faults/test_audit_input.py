"""Bad input to an audit: one clear line on stderr, exit code 2."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    write_dataset(catfaces_test_set(3), tmp_path / "data")
    shutil.copytree(tmp_path / "data" / "test_gt", tmp_path / "train")
    return tmp_path


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


TRAIN = {
    "missing": (shutil.rmtree, "train: No such file or directory"),
    "empty": (_empty, "train: no files in it"),
    "a file": (_file, "train: a file"),
    "no image": (lambda f: (f / "notes.txt").write_text("none"), "train/notes.txt: not an image"),
    "zero bytes": (lambda f: (f / "image_001.png").write_bytes(b""), "train/image_001.png: zero bytes"),
    "truncated": (lambda f: _cut(f / "image_001.png"), "train/image_001.png: truncated"),
    "grey": (lambda f: Image.new("L", (64, 64)).save(f / "image_001.png"), "train/image_001.png: 1 channel"),
    "two at once": (lambda f: [(f / name).touch() for name in ("a", "b")], "2 problems"),
}
TEST = {
    "missing": (shutil.rmtree, "test_gt: No such file or directory"),
    "empty": (_empty, "test_gt: no files in it"),
    "no image": (lambda f: (f / "notes.txt").write_text("none"), "test_gt/notes.txt: not an image"),
    "two sizes": (lambda f: Image.new("RGB", (32, 64)).save(f / "image_002.png"), "32×64 pixels, the first has 64×64"),
    "no csv": (lambda f: _file(f), "test_gt: zero bytes"),
    "csv of numbers": (lambda f: (_file(f), f.write_text("a,b\n1,2\n")), "2 columns"),
}


def refused(workplace: Path) -> str:
    arguments = [str(workplace / "data" / "test_gt"), "--train", str(workplace / "train"), "--json"]
    result = CliRunner().invoke(app, ["audit", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("maskbench: ")
    return line


@pytest.mark.parametrize("damage", TRAIN)
def test_training_folders(workplace: Path, damage: str) -> None:
    spoil: Callable[[Path], object]
    spoil, named = TRAIN[damage]
    spoil(workplace / "train")
    assert named in refused(workplace)


@pytest.mark.parametrize("damage", TEST)
def test_test_sets(workplace: Path, damage: str) -> None:
    spoil: Callable[[Path], object]
    spoil, named = TEST[damage]
    spoil(workplace / "data" / "test_gt")
    assert named in refused(workplace)


def test_system_files_are_skipped_and_said_and_capitals_are_read(workplace: Path) -> None:
    test, train = workplace / "data" / "test_gt", workplace / "train"
    for path in sorted(train.iterdir()):
        path.rename(path.with_suffix(".PNG"))
    for folder in (test, train):
        for name in ("Thumbs.db", ".DS_Store", "desktop.ini"):
            (folder / name).touch()
        (folder / "__MACOSX").mkdir()
    result = CliRunner().invoke(app, ["audit", str(test), "--train", str(train), "--exact-only"])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("note: skipped 4 system files (.DS_Store, Thumbs.db, __MACOSX, …)") == 2
    assert "3 are in the training folders" in result.stdout


def test_a_folder_of_folders_names_them(workplace: Path) -> None:
    below = workplace / "train" / "2025"
    shutil.copytree(workplace / "train", workplace / "copy")
    for path in (workplace / "train").iterdir():
        path.unlink()
    shutil.move(workplace / "copy", below)
    assert "train: no files in it, but the sub-folder 2025; give the folder" in refused(workplace)


def test_a_csv_without_a_header_loses_no_image(workplace: Path) -> None:
    csv = workplace / "data" / "test_gt.csv"
    csv.write_text("\n".join(csv.read_text().splitlines()[1:]))
    result = CliRunner().invoke(app, ["audit", str(csv), "--exact-only"])
    assert "3 test images" in result.stdout
    assert "no header line" in result.stderr
