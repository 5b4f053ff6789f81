"""The whole path on tiny random networks: what is shared, resumed or reordered gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import bench
import maskgit
from bench.errors import IncompleteRunError
from bench.grid.sections import ExecutionSection
from bench.grid.spec import Spec, parse_spec
from bench.results.folder import open_run
from bench.results.record import write_record
from bench.run import environment, runner, throughput
from bench.run.runner import run as drive
from bench.run.runtime import Runtime
from bench.run.throughput import Cost
from bench.show.export import export_cell
from bench.store.records import read_record
from bench.store.store import Store
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
GRID = {"gamma": ["cosine", "square"], "total_iter": [2, 4], "sweet_spot": [1, 2, 4], "compose": ["none", "paste"]}
N_IMAGES = 11  # in tiles of 4 and blocks of 8: a short last block, a padded last tile
FOLDERS = {"masked_images": "masked_image", "masks": "mask64", "ground_truth": "test_gt"}
CPU_IN_TILES_OF_4 = Runtime("cpu", environment.numerics(ExecutionSection(tile=4), "cpu"))
TIMED = ["images_per_s", "ms_per_image", "throughput_source"]


def spec(checkpoint: Path, grid: dict | None = None, count: int = N_IMAGES, **sections: dict) -> Spec:
    raw = {
        "model": {"checkpoint": str(checkpoint)},
        "data": {"dataset": "catfaces", "count": count},
        "grid": grid or GRID,
        "metrics": {"features": ["efficientnet-lite0"]},
        "throughput": {"repeats": 1, "checks": 3},
        "execution": {"tile": 4, "batch_size": 2, "device": "cpu", "threads": 1},
        **sections,
    }
    return parse_spec(raw, "test")


def stored_bytes(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted((folder / "store").rglob("*.parquet"))}


def scores(folder: Path) -> pd.DataFrame:
    return bench.load(folder).cells.drop(columns=TIMED).sort_values("cell_id").reset_index(drop=True)


@pytest.fixture(scope="module")
def shared_run(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drive(spec(tiny_checkpoint), tmp_path_factory.mktemp("run") / "shared", quiet=True)


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no speed: it takes most of a small run's time, and calls the networks."""
    monkeypatch.setattr(throughput, "measure", lambda *_, **__: Cost(1.0, 1.0, 1.0, 1))


@pytest.mark.usefixtures("untimed")
def test_a_shared_run_equals_each_cell_run_alone(shared_run: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    together = bench.load(shared_run)
    images = together.images.set_index("cell_id")
    for _, cell in together.cells.iterrows():
        grid = {axis: [cell[axis]] for axis in ("gamma", "total_iter", "sweet_spot", "compose")}
        alone = bench.load(drive(spec(tiny_checkpoint, grid), tmp_path / cell.cell_id, quiet=True))
        pd.testing.assert_series_equal(
            alone.cells.iloc[0].drop(TIMED), cell.drop(TIMED), check_exact=True, check_names=False
        )
        pd.testing.assert_frame_equal(alone.images.set_index("cell_id"), images.loc[[cell.cell_id]], check_exact=True)
        for record in (tmp_path / cell.cell_id / "store" / "trajectories").rglob("*.parquet"):
            key = record.parent.name
            ours, theirs = (read_record(Store(run / "store"), key) for run in (tmp_path / cell.cell_id, shared_run))
            assert ours is not None
            assert theirs is not None
            steps = ours.last_step
            for name in ("canvases", "masks", "confidence"):
                assert np.array_equal(getattr(ours, name), getattr(theirs, name)[:steps])


@pytest.mark.usefixtures("untimed")
def test_a_shared_run_of_two_rules_and_seeds_on_all_threads_equals_each_cell_run_alone(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    grid = {"total_iter": 4, "sweet_spot": [2, 4], "rule": ["lab", "paper"]}
    free = {"tile": 4, "batch_size": 2, "device": "cpu"}
    together = bench.load(
        drive(spec(tiny_checkpoint, grid, run={"seeds": [0, 5]}, execution=free), tmp_path / "all", quiet=True)
    )
    assert len(together.cells) == 8
    images = together.images.set_index("cell_id")
    axes = ("gamma", "total_iter", "sweet_spot", "confidence", "anneal", "fix_at_least_one")
    for _, cell in together.cells.iterrows():
        own = {axis: [cell[axis]] for axis in axes}
        one = spec(tiny_checkpoint, own, run={"seeds": [int(cell.seed)]}, execution=free)
        alone = bench.load(drive(one, tmp_path / cell.cell_id, quiet=True))
        pd.testing.assert_frame_equal(alone.images.set_index("cell_id"), images.loc[[cell.cell_id]], check_exact=True)
        assert alone.cells.fd.iloc[0] == cell.fd


@pytest.mark.usefixtures("untimed")
def test_the_networks_run_as_often_as_the_plan_says(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted at the model: passes in whole tiles while decoding, none where all is in the store; speed is not counted."""
    from maskgit.model import MaskGIT

    tiles = {"encode": 0, "logits": 0, "render": 0}

    def counting(name: str) -> None:
        original = getattr(MaskGIT, name)

        def counted(self: MaskGIT, batch: object) -> object:
            tiles[name] += 1
            return original(self, batch)

        monkeypatch.setattr(MaskGIT, name, counted)

    for name in tiles:
        counting(name)
    one = spec(tiny_checkpoint, count=12)  # three whole tiles
    counts = bench.load(drive(one, tmp_path / "run", quiet=True)).record.counts
    assert counts["transformer_passes_run"] == counts["transformer_passes"] == (2 * 2 + 2 * 4 - 3) * 12
    assert tiles["logits"] * 4 == counts["transformer_passes"]
    assert tiles["encode"] == 2 * 3 + 1, "masked images once, originals once, and the tile that speed is measured on"
    assert tiles["render"] * 4 >= counts["unique_canvases"]
    tiles.update(encode=0, logits=0, render=0)
    counts = bench.load(drive(one, tmp_path / "run", quiet=True)).record.counts
    assert counts["transformer_passes_run"] == 0
    assert counts["transformer_passes"] == 9 * 12
    assert tiles["logits"] == tiles["render"] == 0


def test_every_checkpoint_has_cells_measured_whole(tiny_checkpoint: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_checkpoint, tmp_path / "other")
    manifest = json.loads((other / "model.json").read_text())
    (other / "model.json").write_text(json.dumps({**manifest, "name": "other"}))
    both = {"checkpoint": [str(tiny_checkpoint), str(other)]}
    one = spec(tiny_checkpoint, {"total_iter": 3}, count=4, model=both)
    run = bench.load(drive(one, tmp_path / "run", quiet=True))
    checked = run.cells.set_index("cell_id").loc[[c.cell_id for c in run.record.throughput.checks]]
    assert checked.checkpoint.tolist() == ["tiny"] * 3 + ["other"] * 3
    assert checked.sweet_spot.tolist() == [1, 2, 3] * 2


def test_image_numbers_may_be_timestamps(tiny_checkpoint: Path, tmp_path: Path) -> None:
    write_dataset(catfaces_test_set(4), tmp_path / "faces")
    for path in (tmp_path / "faces").rglob("*_*.png"):
        path.rename(path.with_name(f"{1_700_000_000_000 + int(path.stem[-3:])}.png"))
    data = {name: str(tmp_path / "faces" / folder) for name, folder in FOLDERS.items()}
    run = bench.load(drive(spec(tiny_checkpoint, {"total_iter": 2}, data=data), tmp_path / "run", quiet=True))
    assert sorted(set(run.images.image_id)) == [1_700_000_000_000 + i for i in range(4)]


def test_a_new_sweet_spot_continues_the_stored_trajectory(
    shared_run: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    drive(spec(tiny_checkpoint, {**GRID, "sweet_spot": [1, 2]}), tmp_path / "run", quiet=True)
    before = stored_bytes(tmp_path / "run")
    drive(spec(tiny_checkpoint), tmp_path / "run", quiet=True)
    after = stored_bytes(tmp_path / "run")
    assert before.items() < after.items()
    pd.testing.assert_frame_equal(scores(tmp_path / "run"), scores(shared_run), check_exact=True)


def test_a_second_run_computes_nothing(shared_run: Path, tiny_checkpoint: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (shared_run / "store").rglob("*.parquet")}
    drive(spec(tiny_checkpoint), shared_run, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in (shared_run / "store").rglob("*.parquet")} == before


def test_block_size_changes_nothing(shared_run: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    other = spec(tiny_checkpoint, execution={"tile": 4, "batch_size": 1, "device": "cpu", "threads": 1})
    drive(other, tmp_path / "run", quiet=True)
    pd.testing.assert_frame_equal(scores(tmp_path / "run"), scores(shared_run), check_exact=True)


def test_a_killed_run_resumed_equals_one_never_killed(shared_run: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(_toml(spec(tiny_checkpoint)))
    command = [sys.executable, "-m", "bench.cli", "run", str(grid), "--output", str(tmp_path / "run"), "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run").glob("store/trajectories/**/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "run" / "run.json").exists(), "the run had finished before it was killed"
    subprocess.run(command, cwd=ROOT, check=True)
    pd.testing.assert_frame_equal(scores(tmp_path / "run"), scores(shared_run), check_exact=True)
    assert stored_bytes(tmp_path / "run") == stored_bytes(shared_run)


def test_an_interrupt_keeps_finished_work_and_says_how_to_resume(tiny_checkpoint: Path, tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(_toml(spec(tiny_checkpoint, count=32)))
    command = [sys.executable, "-m", "bench.cli", "run", str(grid), "--output", str(tmp_path / "run")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "run").glob("store/trajectories/**/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command resumes" in errors
    assert "Traceback" not in errors
    assert list((tmp_path / "run").glob("store/trajectories/**/*.parquet"))
    report = subprocess.run(
        [sys.executable, "-m", "bench.cli", "report", str(tmp_path / "run")], cwd=ROOT, capture_output=True
    )
    assert report.returncode == 4
    subprocess.run([*command, "--quiet"], cwd=ROOT, check=True)
    undisturbed = drive(spec(tiny_checkpoint, count=32), tmp_path / "undisturbed", quiet=True)
    pd.testing.assert_frame_equal(scores(tmp_path / "run"), scores(undisturbed), check_exact=True)


def test_an_interrupted_second_run_is_not_taken_for_the_first(
    shared_run: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tables would be those of other weights, perhaps, and a gate would judge them."""
    shutil.copytree(shared_run, tmp_path / "run")

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runner, "_execute", interrupted)
        drive(spec(tiny_checkpoint), tmp_path / "run", quiet=True)
    with pytest.raises(IncompleteRunError, match="not finished"):
        bench.load(tmp_path / "run")
    drive(spec(tiny_checkpoint), tmp_path / "run", quiet=True)
    pd.testing.assert_frame_equal(scores(tmp_path / "run"), scores(shared_run), check_exact=True)


def test_changed_pixels_touch_their_own_block_only(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from maskgit.data.export import write_dataset
    from maskgit.data.testset import catfaces_test_set

    write_dataset(catfaces_test_set(N_IMAGES), tmp_path / "faces")
    data = {
        name: str(tmp_path / "faces" / folder)
        for name, folder in [("masked_images", "masked_image"), ("masks", "mask64"), ("ground_truth", "test_gt")]
    }
    drive(spec(tiny_checkpoint, data=data), tmp_path / "run", quiet=True)
    before = stored_bytes(tmp_path / "run")
    _brighten_known_pixels(tmp_path / "faces", 10)  # in the last block
    with pytest.raises(InputError, match=r"1 image \(10\) changed, sha256 .* → .*--output .*--replace"):
        drive(spec(tiny_checkpoint, data=data), tmp_path / "run", quiet=True)
    drive(spec(tiny_checkpoint, data=data), tmp_path / "run", quiet=True, replace=True)
    fresh = stored_bytes(tmp_path / "run").keys() - before.keys()
    fresh_ids = {int(i) for path in fresh for i in _image_ids(tmp_path / "run" / path)}
    assert fresh_ids
    assert fresh_ids <= {8, 9, 10}


def test_images_that_stand_in_training_are_told_apart(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from maskgit.data.export import write_dataset
    from maskgit.data.testset import catfaces_test_set

    write_dataset(catfaces_test_set(N_IMAGES), tmp_path / "faces")
    (tmp_path / "train").mkdir()
    for number in (2, 3, 7):
        shutil.copy(tmp_path / "faces" / "test_gt" / f"image_{number:03d}.png", tmp_path / "train")
    data = {
        "masks": str(tmp_path / "faces" / "mask64"),
        "ground_truth": str(tmp_path / "faces" / "test_gt"),
        "train": [str(tmp_path / "train")],
    }
    grid = {"gamma": ["cosine"], "total_iter": [1]}
    run = bench.load(drive(spec(tiny_checkpoint, grid, data=data), tmp_path / "run", quiet=True))
    assert run.test_set[run.test_set.in_training].image_id.tolist() == [2, 3, 7]
    scores = run.metrics[run.metrics.metric == "frechet_distance"].set_index("subset")
    assert scores.n.to_dict() == {"all": N_IMAGES, "clean": N_IMAGES - 3}
    assert scores.value["all"] == run.cells.fd.iloc[0]
    assert scores.value["clean"] != scores.value["all"]
    rows = run.table("references").to_pandas()
    assert set(rows.subset) == {"all", "clean"}
    assert run.record.data.train_overlap == 3


def test_the_tables_hold_what_the_schema_says(shared_run: Path) -> None:
    run = bench.load(shared_run)
    n_cells, n_images = len(run.cells), N_IMAGES
    assert n_cells == 2 * 2 * (2 + 3)
    assert len(run.images) == n_cells * n_images
    assert len(run.steps) == 2 * (2 + 4) * n_images
    of_the_extractor, of_the_pictures = 5, 7
    assert len(run.metrics) == n_cells * (of_the_extractor + of_the_pictures)
    verified = run.metrics.groupby("features").features_verified
    assert verified.get_group("efficientnet-lite0").all()
    assert verified.get_group("").isna().all()
    assert set(run.cells.throughput_source) == {"derived", "derived, checked"}
    assert (run.cells.throughput_source == "derived, checked").sum() == 3
    assert run.record.counts["unique_canvases"] < n_cells * n_images
    assert (run.cells.fd > 0).all()
    pasted, plain = (run.cells[run.cells.compose == how] for how in ("paste", "none"))
    assert len(pasted) == len(plain)
    final = run.steps[(run.steps.step == 4)]
    assert (final.masked_left == 0).all()


def test_a_finished_run_gives_every_cells_features_back(shared_run: Path) -> None:
    from bench.grid.plan import cell_of
    from bench.metrics.frechet import frechet_distance
    from bench.results.stored import cell_features, open_stored, truth_features

    run = bench.load(shared_run)
    extractor = run.record.primary.fingerprint
    work = open_stored(run, run.cells.checkpoint.iloc[0])
    cells = {row.cell_id: cell_of(row) for _, row in run.cells.iterrows()}
    assert all(cell.cell_id == cell_id for cell_id, cell in cells.items())
    features, truth = cell_features(work, cells.values(), extractor), truth_features(work, extractor)
    for cell_id, score in run.cells.set_index("cell_id").fd.items():
        assert frechet_distance(features[cells[cell_id]], truth) == pytest.approx(score, rel=1e-12)


def test_reference_rows_stand_beside_the_cells(shared_run: Path) -> None:
    from bench.features.registry import extractor
    from bench.metrics.frechet import frechet_distance
    from bench.run.embed import embed_images
    from maskgit.data.testset import catfaces_test_set

    run = bench.load(shared_run)
    rows = run.table("references").to_pandas()
    scores = rows[rows.metric == "frechet_distance"].set_index(["reference", "compose"]).value
    assert set(scores.index) == {
        *(
            (name, compose)
            for name in ("tokenizer_floor", "oracle_filling", "one_shot")
            for compose in ("none", "paste")
        ),
        ("telea", "none"),
        ("masked_input", "none"),
    }
    first = run.cells[(run.cells.sweet_spot == 1)].set_index("compose").fd
    for compose in ("none", "paste"):  # all tokens at once is what the first step of every schedule draws
        assert (first[compose] == scores["one_shot", compose]).all()
    test_set, network = catfaces_test_set(N_IMAGES), extractor("efficientnet-lite0")
    masked, truth = (embed_images(network, images, CPU_IN_TILES_OF_4) for images in (test_set.masked, test_set.truth))
    assert frechet_distance(masked, truth) == pytest.approx(scores["masked_input", "none"], rel=1e-9)
    psnr = rows[rows.metric == "psnr_hole_db"].set_index(["reference", "compose"]).value
    assert psnr["telea", "none"] > psnr["masked_input", "none"]
    assert psnr["tokenizer_floor", "none"] == psnr["tokenizer_floor", "paste"]


def test_oracle_filling_is_the_truth_among_the_known_tokens_of_the_masked_image(
    tiny_checkpoint: Path, shared_run: Path
) -> None:
    from bench.features.registry import extractor
    from bench.metrics.frechet import frechet_distance
    from bench.run.embed import embed_images
    from maskgit.masks import token_mask

    test_set, model = catfaces_test_set(N_IMAGES), maskgit.load_model(tiny_checkpoint, "cpu")
    runtime = CPU_IN_TILES_OF_4
    known, truth = (runtime.map_array(model.encode, images) for images in (test_set.masked, test_set.truth))
    mask = token_mask(torch.from_numpy(test_set.hole), model.cell).numpy()
    assert (known != truth)[~mask].any()  # the encoder sees the hole beyond it
    rendered = runtime.map_array(model.render, np.where(mask, truth, known))
    network = extractor("efficientnet-lite0")
    expected = frechet_distance(*(embed_images(network, images, runtime) for images in (rendered, test_set.truth)))
    rows = bench.load(shared_run).table("references").to_pandas()
    row = rows[(rows.reference == "oracle_filling") & (rows.metric == "frechet_distance") & (rows.compose == "none")]
    assert row.value.item() == pytest.approx(expected, rel=1e-9)


def test_work_that_was_deleted_is_missed_by_name(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from bench.grid.plan import cell_of
    from bench.results.stored import cell_features, open_stored

    grid = {"gamma": ["cosine"], "total_iter": [2]}
    run = bench.load(drive(spec(tiny_checkpoint, grid), tmp_path / "run", quiet=True))
    shutil.rmtree(tmp_path / "run" / "store" / "features")
    work = open_stored(run, run.cells.checkpoint.iloc[0])
    with pytest.raises(InputError, match=r"features of the run are missing; .* computes what is missing"):
        cell_features(work, [cell_of(run.cells.iloc[0])], run.record.primary.fingerprint)


def test_first_step_canvases_are_rendered_once(shared_run: Path) -> None:
    run = bench.load(shared_run)
    first = run.cells[(run.cells.sweet_spot == 1) & (run.cells.compose == "none")]
    assert len(first) == 4
    assert first.fd.nunique() == 1


def test_exported_images_are_the_ones_that_were_scored(shared_run: Path, tmp_path: Path) -> None:
    from bench.features.registry import extractor
    from bench.metrics.frechet import frechet_distance

    run = open_run(shared_run)
    cell = run.cells[(run.cells.sweet_spot == 4) & (run.cells.compose == "paste")].iloc[0]
    assert export_cell(run, cell.cell_id, tmp_path / "out") == N_IMAGES
    files = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in files] == [f"image_{i:03d}.png" for i in range(N_IMAGES)]
    images = np.stack([np.asarray(Image.open(path)).transpose(2, 0, 1) for path in files])
    test_set = catfaces_test_set(N_IMAGES)
    known = ~test_set.hole[:, None].repeat(3, 1)
    assert np.array_equal(images[known], test_set.masked[known])
    network = extractor("efficientnet-lite0", device="cpu", weights=None, allow_unverified=False)
    from bench.run.embed import embed_images

    generated, truth = (embed_images(network, pixels, CPU_IN_TILES_OF_4) for pixels in (images, test_set.truth))
    assert frechet_distance(generated, truth) == pytest.approx(cell.fd, rel=1e-9)


def test_an_export_of_changed_weights_is_refused_and_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = shutil.copytree(tiny_checkpoint, tmp_path / "tiny")
    run = open_run(drive(spec(model, {"total_iter": 2}, count=4), tmp_path / "run", quiet=True))
    tensors = load_file(model / "transformer.safetensors")
    save_file({name: tensor + 0.01 for name, tensor in tensors.items()}, model / "transformer.safetensors")
    manifest = json.loads((model / "model.json").read_text())
    digest = hashlib.sha256((model / "transformer.safetensors").read_bytes()).hexdigest()
    manifest["files"]["transformer"]["sha256"] = digest
    (model / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="the weights of tiny changed since the run"):
        export_cell(run, run.cells.cell_id.iloc[0], tmp_path / "out")
    undeclared = run.record.checkpoints[0].model_copy(update={"fingerprint": "undeclared-0"})
    write_record(run.path, run.record.model_copy(update={"checkpoints": (undeclared,)}))
    with pytest.raises(InputError, match="tiny declares no fingerprint"):
        export_cell(open_run(run.path), run.cells.cell_id.iloc[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _toml(one: Spec) -> str:
    """The spec as TOML: JSON values are TOML values, but for null and nested tables, which it has none of."""
    content = one.model_dump(mode="json", exclude_defaults=True)
    return "\n".join(
        f"[{section}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
        for section, values in content.items()
    )


def _brighten_known_pixels(folder: Path, number: int) -> None:
    hole = np.asarray(Image.open(folder / "mask64" / f"mask_{number:03d}.png")) == 0
    for name in ("masked_image", "test_gt"):
        path = folder / name / f"image_{number:03d}.png"
        pixels = np.asarray(Image.open(path)).copy()
        pixels[~hole] = np.minimum(pixels[~hole].astype(int) + 9, 255)
        Image.fromarray(pixels).save(path)


def _image_ids(path: Path) -> list[int]:
    table = pd.read_parquet(path)
    return table.image_id.unique().tolist() if "image_id" in table else []


@pytest.fixture(autouse=True)
def _restore_torch() -> Iterator[None]:
    """Runs set torch up for themselves; the next test starts from its own settings."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
