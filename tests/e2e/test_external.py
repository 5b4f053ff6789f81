"""Images of another program as a row of a run's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import bench
from bench.grid.spec import parse_spec
from bench.show.export import export_cell
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results.folder import RunFolder


def run(tiny_checkpoint: Path, folder: Path, external: list[dict[str, str]]) -> RunFolder:
    raw = {
        "model": {"checkpoint": str(tiny_checkpoint)},
        "data": {"dataset": "catfaces", "count": 5},
        "grid": {"total_iter": 2, "sweet_spot": [2]},
        "metrics": {"features": ["efficientnet-lite0"]},
        "throughput": {"repeats": 1, "checks": 0},
        "execution": {"device": "cpu", "tile": 4, "batch_size": 1},
        "external": external,
    }
    return bench.load(bench.run(parse_spec(raw, "grid.toml"), folder, quiet=True))


def test_the_images_of_a_cell_have_the_score_of_the_cell(tiny_checkpoint: Path, tmp_path: Path) -> None:
    first = run(tiny_checkpoint, tmp_path / "run", [])
    (cell,) = first.cells.cell_id
    export_cell(first, cell, tmp_path / "images")
    again = run(tiny_checkpoint, tmp_path / "run", [{"name": "my script", "images": str(tmp_path / "images")}])
    assert again.record.counts["transformer_passes_run"] == 0
    rows = again.table("references").to_pandas()
    theirs = rows[(rows.reference == "external: my script") & (rows.subset == "all")].set_index(["features", "metric"])
    ours = again.metrics[again.metrics.subset == "all"].set_index(["features", "metric"])
    for name in [
        ("efficientnet-lite0", "frechet_distance"),
        ("efficientnet-lite0", "kernel_distance"),
        ("", "psnr_hole_db"),
    ]:
        assert theirs.loc[name, "value"] == ours.loc[name, "value"]
        assert theirs.loc[name, "se"] == ours.loc[name, "se"]


def test_a_folder_that_lacks_images_is_refused_before_any_work(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "1.png").touch()
    with pytest.raises(InputError, match="no file with this number"):
        run(tiny_checkpoint, tmp_path / "run", [{"name": "a", "images": str(tmp_path / "few")}])
    assert not (tmp_path / "run").exists()
