from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bench.cli import app
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def grid(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    write_dataset(catfaces_test_set(4), tmp_path / "data")
    path = tmp_path / "grid.toml"
    path.write_text(
        f'[model]\ncheckpoint = "{tiny_checkpoint.as_posix()}"\n[data]\ndataset = "catfaces"\ncount = 4\n'
        '[metrics]\nfeatures = ["efficientnet-lite0"]\n[[external]]\nname = "my script"\nimages = "data/test_gt"\n',
        encoding="utf-8",
    )
    return path


def test_a_plan_shows_every_setting_external_images_too(grid: Path) -> None:
    result = CliRunner().invoke(app, ["plan", str(grid), "--format", "markdown"])
    assert result.exit_code == 0, result.output
    assert "external.name" in result.output
    assert "my script" in result.output


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("metrics.features=foo", 'unknown extractor "foo"'),
        ("metrics.weights=w.pth", "ships with its own"),
        ("data.count=2", "data.count"),
    ],
)
def test_a_plan_refuses_what_a_run_would_refuse(grid: Path, override: str, message: str) -> None:
    result = CliRunner().invoke(app, ["plan", str(grid), "--set", override])
    assert result.exit_code == 2
    assert message in result.output
