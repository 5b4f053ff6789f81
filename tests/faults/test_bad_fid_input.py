"""Bad input of `maskbench fid`: one clear line on stderr, exit code 2, and never a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from bench.features.sources import INCEPTION_URL
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "faces"
    write_dataset(catfaces_test_set(4), folder)
    return folder


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def refused(*arguments: str | Path) -> str:
    """See the comparison refused in the documented way, and return the line."""
    result = CliRunner().invoke(app, ["fid", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("maskbench: ")
    return lines[0]


def features(path: Path, values: object) -> Path:
    pq.write_table(pa.table({"feature": pa.array(list(values), pa.list_(pa.float32()))}), path)
    return path


GOOD = np.random.default_rng(0).normal(size=(6, 4))


@pytest.mark.parametrize("paired", ["--paired", "--disjoint"])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.where(np.eye(6, 4, k=-2), np.nan, GOOD), "NaN or infinite in 4 of 6 images, first in row 2"),
        (np.where(np.eye(6, 4, k=-2), np.inf, GOOD), "NaN or infinite in 4 of 6 images"),
        (np.ones((6, 4)), "the same for all 6 images"),
        (GOOD[:0], "0 images; a distance needs at least 3"),
        (GOOD[:1], "1 image; a distance needs at least 3"),
        (GOOD[:2], "2 images; a distance needs at least 3"),
        (np.ones((6, 0)), "no features per image"),
        (GOOD * 1e30, "values too large"),
        (GOOD[:, :3], "features per image, but"),
    ],
)
def test_features_that_give_no_distance(values: np.ndarray, says: str, side: int, paired: str, tmp_path: Path) -> None:
    sides = [features(tmp_path / "good.parquet", GOOD), features(tmp_path / "good2.parquet", GOOD[::-1])]
    sides[side] = features(tmp_path / "bad.parquet", values)
    line = refused(*sides, paired)
    assert says in line
    assert "bad.parquet" in line


def test_unlike_image_lists_when_paired(faces: Path, tmp_path: Path) -> None:
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for number in (0, 1, 3):
        (fewer / f"{number}.png").write_bytes((faces / "masked_image" / f"image_{number:03d}.png").read_bytes())
    line = refused(fewer, faces / "test_gt", "--paired", "--features", "efficientnet-lite0")
    assert "1 of the images" in line
    assert "by number: 2" in line
    line = refused(fewer, faces / "test_gt.csv", "--paired", "--features", "efficientnet-lite0")
    assert "it has 4 images" in line
    np.savez(tmp_path / "b.npz", mu=np.zeros(2), sigma=np.eye(2))
    assert "statistics contain none" in refused(fewer, tmp_path / "b.npz", "--paired")


def test_copies_leave_too_few_different_originals(tmp_path: Path) -> None:
    line = refused(
        features(tmp_path / "a.parquet", GOOD), features(tmp_path / "b.parquet", GOOD[[0, 0, 0, 1, 1, 1]]), "--paired"
    )
    assert "at least 3" in line


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pictures(count: int, faces: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for i in range(count):
        Image.new("RGB", (64, 64), (i, 0, 0)).save(few / f"{i}.png")
    line = refused(few, faces / "test_gt", "--features", "efficientnet-lite0")
    assert str(few) in line


def test_pictures_that_are_none(faces: Path, tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "nowhere", faces / "test_gt")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.png").write_text("no picture")
    assert "a.png: not an image" in refused(tmp_path / "text", faces / "test_gt")
    (tmp_path / "empty.csv").touch()
    assert "zero bytes" in refused(faces / "test_gt", tmp_path / "empty.csv")
    same = tmp_path / "same"
    same.mkdir()
    for i in range(3):
        Image.new("RGB", (64, 64)).save(same / f"{i}.png")
    assert "all 3 images are the same" in refused(same, faces / "test_gt", "--features", "efficientnet-lite0")
    small = tmp_path / "small"
    small.mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(small / f"{i}.png")
    result = CliRunner().invoke(app, ["fid", str(small), str(small), "--features", "efficientnet-lite0", "--quiet"])
    assert result.exit_code == 2
    assert "the smallest size is 32x32" in result.stderr


def test_no_weights_no_number(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.features.sources.INCEPTION_URL", "http://127.0.0.1:9/weights.pth")
    line = refused(faces / "masked_image", faces / "test_gt")
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in line
    assert "--features efficientnet-lite0" in line


def test_other_weights_only_when_allowed(faces: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save({"fc.weight": torch.zeros(1)}, weights)
    line = refused(faces / "masked_image", faces / "test_gt", "--weights", weights)
    assert "not the official FID weights" in line
    assert "--allow-unverified-weights" in line
    assert INCEPTION_URL in line
    arguments = ["fid", str(faces / "masked_image"), str(faces / "test_gt"), "--weights", str(weights), "--quiet"]
    result = CliRunner().invoke(app, [*arguments, "--allow-unverified-weights"])
    assert result.exit_code == 2
    assert "not FID's Inception" in result.stderr


def test_options_that_would_do_nothing_or_cannot_be_met(faces: Path, tmp_path: Path) -> None:
    sides = [features(tmp_path / f"{name}.parquet", GOOD) for name in "ab"]
    for option in (["--weights", "weights.pth"], ["--strict"]):
        assert f"{option[0]}: " in refused(*sides, *option)
    pictures = (faces / "masked_image", faces / "test_gt", "--features", "efficientnet-lite0")
    assert "--strict: efficientnet-lite0" in refused(*pictures, "--strict")
    assert "unknown extractor" in refused(*pictures[:2], "--features", "clip")
    assert "cuda" in refused(*pictures, "--device", "cuda:7")
