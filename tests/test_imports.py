"""Imports run downwards, and light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIGHT = [
    "maskgit", "maskgit.schedules", "maskgit.config", "maskgit.locate", "maskgit.flops", "maskgit.data",
    "maskgit.data.testset", "maskgit.training", "maskgit.pretrained", "maskgit.data.near", "bench", "bench.spec",
    "bench.plan", "bench.keys", "bench.store", "bench.stored", "bench.records", "bench.canvases", "bench.folder",
    "bench.inputs", "bench.preview", "bench.features", "bench.features.sources", "bench.stats", "bench.metrics",
    "bench.metrics.frechet", "bench.metrics.influence", "bench.metrics.kernel", "bench.measure", "bench.fid.samples",
    "bench.fid.compare", "bench.show.picks", "bench.show.sheets", "bench.report", "bench.report.comparison",
    "bench.report.formats", "bench.report.picture", "bench.report.as_table", "bench.report.html.render", "bench.cli",
    "bench.report.audit", "bench.audit", "bench.caveats", "bench.gate", "bench.gate.command", "bench.gate.baseline",
    "bench.influences", "bench.report.compare.command", "bench.progress.reporter", "bench.progress.displays",
    "bench.guard", "bench.completion", "bench.clock",
]  # fmt: skip


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_no_torch(module: str) -> None:
    assert "torch" not in loaded_by(f"import {module}")


def test_help_imports_no_torch_pandas_or_numpy() -> None:
    code = (
        "from typer.testing import CliRunner\nfrom bench.cli import app\n"
        "for args in (['--help'], ['run', '--help'],"
        " ['fid', '--help'], ['train', 'transformer', '--help'], ['audit', '--help'], ['compare', '--help']):\n"
        "    assert CliRunner().invoke(app, args).exit_code == 0"
    )
    assert not {"torch", "pandas", "numpy"} & loaded_by(code)


def test_the_library_never_imports_the_harness() -> None:
    for path in (ROOT / "maskgit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.partition(".")[0] == "bench" for name in names), path
