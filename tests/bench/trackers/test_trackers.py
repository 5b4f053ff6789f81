"""A run in each tracker: read back with the tracker's own reader, what is there is what the tables say."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

import bench
from bench.cli import app
from bench.document.image import EmbeddedImage
from bench.trackers.content import content_of
from bench.trackers.targets import TARGETS, Destination
from tests.bench.report.conftest import make_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", total_iters=(4,), gammas=("cosine", "square"))


def log(run: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["log", str(run), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def logged_with_a_sheet(run: Path, tracker: str) -> None:
    """Log with one image, which a synthetic run has none of."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(buffer, "PNG")
    content = content_of(bench.load(run), images=False)
    sheet = EmbeddedImage("The best cell", "red", buffer.getvalue())
    TARGETS[tracker](replace(content, images=[sheet]), Destination(run / tracker, "sheets"))


def test_tensorboard_has_the_scalars_the_curves_and_the_cells(run: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert f"--logdir {run / 'tensorboard'}" in log(run, "--to", "tensorboard", "--no-images")
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    best = bench.load(run).best
    assert best is not None
    assert events.Scalars("best/score")[0].value == pytest.approx(best.score, rel=1e-6)
    curve = events.Scalars("score by sweet spot/cosine T4")
    assert [point.step for point in curve] == [1, 2, 3, 4]
    cells = events.Tensors("cells/text_summary")[0].tensor_proto.string_val[0].decode()
    assert cells.count("\n") == 1 + 8
    assert best.cell_id in cells


def test_tensorboard_has_the_sheets(run: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logged_with_a_sheet(run, "tensorboard")
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    (image,) = events.Images("The best cell")
    assert (image.width, image.height) == (8, 6)


def test_a_run_whose_images_cannot_be_drawn_is_logged_without_them_and_says_so(run: Path) -> None:
    result = CliRunner().invoke(app, ["log", str(run), "--to", "tensorboard"])
    assert result.exit_code == 0, result.output
    assert "note: no images" in result.stderr


def test_mlflow_has_them_in_a_local_folder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLFLOW ABSENT: `maskbench log --to mlflow` was not tried")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log(run, "--to", "mlflow", "--no-images", "--project", "mine")
    client = mlflow.MlflowClient((run / "mlflow").resolve().as_uri())
    (experiment,) = [e for e in client.search_experiments() if e.name == "mine"]
    (logged,) = client.search_runs([experiment.experiment_id])
    assert logged.data.metrics["best/score"] == pytest.approx(bench.load(run).cells.score.min())
    assert logged.data.params["best/gamma"] == "cosine"
    assert [artifact.path for artifact in client.list_artifacts(logged.info.run_id)] == ["cells.csv"]
    logged_with_a_sheet(run, "mlflow")
    (sheets,) = [e for e in client.search_experiments() if e.name == "sheets"]
    (other,) = client.search_runs([sheets.experiment_id])
    assert [entry.path for entry in client.list_artifacts(other.info.run_id, "sheets")] == ["sheets/01.png"]


def test_wandb_has_them_offline(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="WANDB ABSENT: `maskbench log --to wandb` was not tried")
    monkeypatch.setenv("WANDB_MODE", "offline")
    log(run, "--to", "wandb", "--no-images")
    assert list((run / "wandb").rglob("*.wandb"))
    logged_with_a_sheet(run, "wandb")
    assert list((run / "wandb").rglob("*.png"))


def test_a_package_that_is_not_installed_is_named_with_its_extra(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskgit.extras.installed", lambda module: False)
    for tracker in ("tensorboard", "wandb", "mlflow"):
        result = CliRunner().invoke(app, ["log", str(run), "--to", tracker, "--no-images"])
        assert result.exit_code == 2
        assert "pip install 'maskbench[" in result.stderr


def test_an_unknown_tracker_is_refused_with_the_known_ones(run: Path) -> None:
    result = CliRunner().invoke(app, ["log", str(run), "--to", "paper"])
    assert result.exit_code == 2
    assert "use tensorboard, wandb, mlflow" in result.stderr


def test_an_unscored_run_is_refused(run: Path) -> None:
    table = pq.read_table(run / "cells.parquet")
    for column in ("fd", "score"):
        at = table.column_names.index(column)
        table = table.set_column(at, table.schema.field(column), pa.nulls(table.num_rows, pa.float64()))
    pq.write_table(table, run / "cells.parquet")
    result = CliRunner().invoke(app, ["log", str(run), "--to", "tensorboard"])
    assert result.exit_code == 2
    assert "no cell has a score" in result.stderr
