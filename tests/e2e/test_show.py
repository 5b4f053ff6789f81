"""Sheets of a real run: what is drawn is what was decoded and scored."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from bench.report.view import build
from bench.results.folder import RunFolder, open_run
from bench.results.record import write_record
from bench.show.command import compare_sheet, open_gallery, report_images, show_run, steps_sheet
from bench.show.export import export_cell
from bench.show.picks import asked_images, worst_images
from bench.show.reopen import reopen
from bench.show.sheets import OUTSIDE, STILL_MASKED, Sheet, arrange, error_map
from bench.show.traces import traces
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError

GRID = """
[run]
name = "small"
[model]
checkpoint = "model"
[data]
masked_images = "faces/masked_image"
masks = "faces/mask64"
ground_truth = "faces/test_gt"
[grid]
gamma = ["cosine", "linear"]
total_iter = 3
compose = ["none", "paste"]
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
[execution]
tile = 4
batch_size = 1
threads = 1
device = "cpu"
"""
N_IMAGES = 6


@pytest.fixture(scope="module")
def workplace(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a test set and a run of them, which name each other relatively."""
    folder = tmp_path_factory.mktemp("show") / "work"
    shutil.copytree(tiny_checkpoint, folder / "model")
    write_dataset(catfaces_test_set(N_IMAGES), folder / "faces")
    (folder / "grid.toml").write_text(GRID, encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(folder / "grid.toml"), "--output", str(folder / "run"), "--quiet"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def run(workplace: Path) -> RunFolder:
    return open_run(workplace / "run")


def cell_id(run: RunFolder, gamma: str, sweet_spot: int, compose: str) -> str:
    cells = run.cells
    return str(
        cells[(cells.gamma == gamma) & (cells.sweet_spot == sweet_spot) & (cells.compose == compose)].cell_id.item()
    )


def exported(run: RunFolder, cell: str, folder: Path) -> dict[int, np.ndarray]:
    export_cell(run, cell, folder)
    return {i: np.asarray(Image.open(folder / f"image_{i:03d}.png")) for i in range(N_IMAGES)}


def shown(path: Path, sheet: Sheet, scale: int) -> list[list[np.ndarray]]:
    """The tiles of a sheet's file, at the size of the images."""
    with Image.open(path) as file:
        whole = np.asarray(file)
    tiles = []
    for boxes in arrange(sheet, scale).tiles:
        squares = [whole[y : y + height, x : x + width] for x, y, width, height in boxes]
        small = [square[::scale, ::scale] for square in squares]
        for a, b in zip(squares, small, strict=True):
            assert np.array_equal(a, b.repeat(scale, axis=0).repeat(scale, axis=1))
        tiles.append(small)
    return tiles


@pytest.mark.parametrize("compose", ["none", "paste"])
def test_a_sheet_of_steps_holds_what_was_decoded_and_scored(run: RunFolder, tmp_path: Path, compose: str) -> None:
    cell, ids, scale = cell_id(run, "linear", 3, compose), [4, 1], 2
    (path,) = show_run(run, cells=[cell], images=ids, output=tmp_path / "out", scale=scale)
    assert path.name == f"steps-{cell}-images-4-1.png"
    gallery = open_gallery(run, build(run.path), [cell])
    source = reopen(run, gallery.cells)
    picked = asked_images(gallery.numbers[cell], ids)
    tiles = shown(path, steps_sheet(gallery, source, gallery.cells[0], picked), scale)
    results = exported(run, cell, tmp_path / "result")
    plain = [exported(run, cell_id(run, "linear", s, "none"), tmp_path / f"step{s}") for s in (1, 2, 3)]
    test_set = catfaces_test_set(N_IMAGES)
    steps = run.steps.set_index(["trajectory_id", "image_id", "step"]).masked_left
    trajectory = run.cells.set_index("cell_id").trajectory_id[cell]
    for place, image_id in enumerate(ids):
        upper, lower = tiles[2 * place], tiles[2 * place + 1]
        known = ~test_set.hole[image_id]
        assert np.array_equal(upper[0], test_set.masked[image_id].transpose(1, 2, 0))
        assert np.array_equal(lower[0], test_set.truth[image_id].transpose(1, 2, 0))
        assert np.array_equal(upper[-1], results[image_id])
        assert (np.array_equal(upper[-1][known], upper[0][known])) == (compose == "paste")
        assert (lower[-1][known] == OUTSIDE).all()
        assert not (lower[-1][~known] == OUTSIDE).all(1).any()
        for step in (1, 2, 3):
            assert np.array_equal(lower[step], plain[step - 1][image_id])
            still = (upper[step] == STILL_MASKED).all(2)
            assert still.sum() == steps[trajectory, image_id, step] * 4 * 4
        assert still.sum() == 0


def test_error_maps_average_to_the_tables_error(run: RunFolder) -> None:
    cell = cell_id(run, "cosine", 2, "none")
    gallery = open_gallery(run, build(run.path), [cell])
    found = traces(reopen(run, gallery.cells), gallery.cells[0], range(N_IMAGES))
    means = [error_map(one.final, one.truth, one.hole)[one.hole].mean() for one in found]
    assert means == pytest.approx(gallery.numbers[cell].mae_hole.tolist(), rel=1e-6)
    assert all(len(one.steps) == 2 and one.still[-1].any() for one in found)  # stopped before the last step


def test_a_comparison_holds_every_cells_result(run: RunFolder, tmp_path: Path) -> None:
    ids = [cell_id(run, "cosine", 3, "paste"), cell_id(run, "linear", 1, "none")]
    paths = show_run(run, cells=ids, worst=2, output=tmp_path / "out", scale=1)
    assert [path.name for path in paths] == [
        *(f"steps-{cell}-worst-2-by-error.png" for cell in ids),
        f"compare-{'-'.join(ids)}-worst-2-by-error.png",
    ]
    gallery = open_gallery(run, build(run.path), ids)
    picked = worst_images(gallery.numbers[ids[0]], 2)
    table = run.images[run.images.cell_id == ids[0]].sort_values("mae_hole", ascending=False)
    assert list(picked.ids) == table.image_id.tolist()[:2]
    sheet = compare_sheet(gallery, reopen(run, gallery.cells), picked)
    tiles = shown(paths[-1], sheet, 1)
    for column, cell in enumerate(ids, 1):
        results = exported(run, cell, tmp_path / cell)
        for place, image_id in enumerate(picked.ids):
            assert np.array_equal(tiles[2 * place][column], results[image_id])


def test_the_best_cell_and_images_from_easy_to_hard_are_the_default(workplace: Path, tmp_path: Path) -> None:
    run = open_run(shutil.copytree(workplace, tmp_path / "work") / "run")
    result = CliRunner().invoke(app, ["show", str(run.path)])
    assert result.exit_code == 0, result.output
    path = Path(result.stdout.strip())
    assert path.parent == run.path / "pictures"
    best = path.stem.removeprefix("steps-")
    assert run.cells.set_index("cell_id").fd[best] == run.cells.fd.min()
    first = path.read_bytes()
    assert CliRunner().invoke(app, ["show", str(run.path), "--cell", best]).exit_code == 0
    assert path.read_bytes() == first


def test_influence_picks_the_images_that_make_the_score_worse(run: RunFolder, tmp_path: Path) -> None:
    options = ["--worst", "3", "--by", "influence", "--output", str(tmp_path)]
    result = CliRunner().invoke(app, ["show", str(run.path), *options])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip().endswith("-worst-3-by-influence.png")


def test_a_report_gets_pictures_and_the_run_folder_stays_as_it_is(run: RunFolder) -> None:
    before = sorted(run.path.rglob("*"))
    pictures = report_images(run)
    assert len(pictures) == 3
    for picture in pictures:
        with Image.open(io.BytesIO(picture.png)) as image:
            assert image.size == (picture.width, picture.height)
        assert "image " in picture.alt
    assert len({picture.title for picture in pictures}) == 3
    assert [picture.png for picture in report_images(run, 1)] == [pictures[0].png]
    assert sorted(run.path.rglob("*")) == before


def refused(run: Path, *options: str) -> str:
    result = CliRunner().invoke(app, ["show", str(run), *options])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_wishes_that_cannot_be_met(run: RunFolder, tmp_path: Path) -> None:
    some = cell_id(run, "cosine", 3, "none")
    before = sorted(run.path.rglob("*"))
    line = refused(run.path, "--cell", some[:-1] + "x")
    assert "no such cell" in line
    assert some in line
    assert "an id from 0 to 5" in refused(run.path, "--image", "6")
    assert "give only one of them" in refused(run.path, "--image", "1", "--worst", "2")
    line = refused(run.path, "--worst", "2", "--by", "size")
    assert "'--by'" in line
    assert "'error', 'influence'" in line
    assert "--worst" in refused(run.path, "--by", "influence")
    (tmp_path / "file").touch()
    assert "--output" in refused(run.path, "--output", str(tmp_path / "file"))
    assert sorted(run.path.rglob("*")) == before


def test_inputs_that_are_gone_or_changed(workplace: Path, tmp_path: Path) -> None:
    def damaged(name: str) -> Path:
        return shutil.copytree(workplace, tmp_path / name)

    gone = damaged("gone")
    shutil.rmtree(gone / "faces" / "test_gt")
    assert "test_gt" in refused(gone / "run")
    with pytest.raises(InputError, match="test_gt"):
        report_images(open_run(gone / "run"))
    other = damaged("other")
    path = other / "faces" / "test_gt" / "image_005.png"
    hole = np.asarray(Image.open(other / "faces" / "mask64" / "mask_005.png")) == 0
    pixels = np.asarray(Image.open(path)).copy()
    pixels[hole] ^= 1
    Image.fromarray(pixels).save(path)
    assert "the test set changed since the run" in refused(other / "run")
    no_store = damaged("no_store")
    shutil.rmtree(no_store / "run" / "store" / "trajectories")
    assert "trajectories of the run are missing" in refused(no_store / "run")
    no_model = damaged("no_model")
    shutil.rmtree(no_model / "model")
    assert "model" in refused(no_model / "run")
    for folder in (gone, other, no_store, no_model):
        assert not (folder / "run" / "pictures").exists()


def test_weights_that_changed(workplace: Path, tmp_path: Path) -> None:
    import torch

    from maskgit.checkpoints.native import load_tokenizer, save_native
    from maskgit.config import TransformerConfig
    from maskgit.transformer import BidirectionalTransformer

    folder = shutil.copytree(workplace, tmp_path / "work")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        other = BidirectionalTransformer(
            TransformerConfig(num_codebook_vectors=48, dim=32, n_layers=2, hidden_dim=64, n_heads=4)
        )
    save_native(folder / "model", load_tokenizer(folder / "model"), other, name="tiny")
    assert "the weights of tiny changed since the run" in refused(folder / "run")


def test_tables_of_another_version_are_refused(workplace: Path, tmp_path: Path) -> None:
    """A run of an earlier version has no hashes either."""
    folder = shutil.copytree(workplace, tmp_path / "work")
    path = folder / "run" / "images.parquet"
    pd.read_parquet(path).drop(columns="influence").to_parquet(path)
    assert "images.parquet: edited or damaged" in refused(folder / "run")
    write_record(folder / "run", open_run(folder / "run").record.model_copy(update={"files": {}}))
    assert "influence" in refused(folder / "run")
