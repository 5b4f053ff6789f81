"""Imports run downwards, and light modules stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
LAYERS = (
    "cli", "notebook", "init", "verify", "listing", "trackers", "gate", "show", "fid", "report", "run", "executors",
    "results", "store", "audit", "progress", "features", "grid", "document", "metrics", "files", "errors",
)  # fmt: skip
"""Packages and modules of the harness from top to bottom: an import points downwards, or stays in its package."""
LIGHT = [
    "bench", "bench.audit.copies", "bench.cli", "bench.cli.completion", "bench.document.html", "bench.document.image",
    "bench.document.output", "bench.executors.local", "bench.executors.claims", "bench.executors.ray_pool",
    "bench.executors.registry", "bench.executors.shared", "bench.features", "bench.features.sources",
    "bench.fid.compare", "bench.fid.report", "bench.fid.samples", "bench.files", "bench.gate", "bench.gate.baseline",
    "bench.gate.command", "bench.grid.plan", "bench.listing.runs", "bench.listing.stores", "bench.results.identity",
    "bench.run.needs", "bench.verify.command", "bench.grid.axes", "bench.grid.inputs", "bench.grid.sections",
    "bench.grid.spec", "bench.metrics", "bench.metrics.frechet", "bench.metrics.influence", "bench.metrics.kernel",
    "bench.metrics.measure", "bench.metrics.multiple_comparisons", "bench.metrics.statistics",
    "bench.progress.displays", "bench.progress.reporter", "bench.report", "bench.report.as_table",
    "bench.report.audit", "bench.report.compare.command", "bench.report.formats", "bench.report.html.render",
    "bench.report.plan", "bench.report.scale", "bench.results.folder", "bench.results.influences",
    "bench.results.stored", "bench.run.caveats", "bench.run.clock", "bench.run.failure_policy", "bench.run.inputs",
    "bench.run.lock", "bench.run.references", "bench.run.work", "bench.show.picks", "bench.show.sheets",
    "bench.store.canvases", "bench.store.keys", "bench.store.kinds", "bench.store.records", "bench.store.store",
    "maskgit", "maskgit.checkpoints.locate", "maskgit.config", "maskgit.data", "maskgit.data.near",
    "maskgit.data.testset", "maskgit.extras", "maskgit.files", "maskgit.flops", "maskgit.pretrained", "maskgit.rules",
    "maskgit.schedules", "maskgit.training",
]  # fmt: skip


def loaded_by(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_light_modules_import_no_torch() -> None:
    """One process for all of them: the first module after which torch is there is the culprit."""
    steps = "\n".join(f"import {name}\nif 'torch' in sys.modules: sys.exit({name!r})" for name in LIGHT)
    result = subprocess.run(
        [sys.executable, "-c", f"import sys\n{steps}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_help_imports_no_torch_pandas_or_numpy() -> None:
    code = (
        "from typer.testing import CliRunner\nfrom bench.cli import app\n"
        "for args in (['--help'], ['run', '--help'],"
        " ['fid', '--help'], ['train', 'transformer', '--help'], ['audit', '--help'], ['compare', '--help']):\n"
        "    assert CliRunner().invoke(app, args).exit_code == 0"
    )
    assert not {"torch", "pandas", "numpy"} & loaded_by(code)


def imported_by(path: Path) -> Iterator[str]:
    """Dotted names of the modules and objects that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_library_never_imports_the_harness() -> None:
    for path in (ROOT / "maskgit").rglob("*.py"):
        assert not any(name.startswith("bench.") or name == "bench" for name in imported_by(path)), path


def test_imports_of_the_harness_point_downwards() -> None:
    rank = {name: position for position, name in enumerate(LAYERS)}
    for path in sorted((ROOT / "bench").rglob("*.py")):
        layer = path.relative_to(ROOT / "bench").with_suffix("").parts[0]
        if layer == "__init__":
            continue  # the interface of the package, which opens every layer on demand
        for name in imported_by(path):
            top, _, rest = name.partition(".")
            if top == "bench":
                target = rest.partition(".")[0]
                # Only the command line may use the interface itself.
                allowed = layer == "cli" if target not in rank else target == layer or rank[target] > rank[layer]
                assert allowed, f"{path} imports {name}, which lies above it"


def test_every_package_of_the_harness_has_its_layer() -> None:
    packages = {path.name for path in (ROOT / "bench").iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in (ROOT / "bench").glob("*.py")} - {"__init__"}
    assert packages | modules == set(LAYERS)
