"""What documents and examples tell people to type is what the command line takes."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from bench.cli import app
from bench.grid.sections import GateSection
from bench.grid.spec import load_spec, parse_spec
from maskgit.training.config import TransformerRecipe, read_recipe

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "README.md", "docs/audit.md", "docs/cli.md", "docs/cluster.md", "docs/gate.md", "docs/json-logs.md", "docs/own-code.md",
    "docs/quality-over-training.md",
    "docs/why-my-fid-differs.md", "results/README.md", "examples/ci/baseline.yml",
    "examples/cluster/one-machine.sh", "examples/cluster/ray-in-slurm.sbatch",
]  # fmt: skip


def commands(text: str) -> list[list[str]]:
    """Every command of a page, on a line of its own or as a code span that begins a table's entry."""
    lines = re.findall(r"^\s*(?:run: )?(maskbench .*)$", text, re.MULTILINE)
    lines += re.findall(r"[|,] (?:then )?`(maskbench [^`]*)`", text)
    return [shlex.split(line, comments=True)[1:] for line in lines if not line.startswith("maskbench: ")]


@pytest.mark.parametrize("page", PAGES)
def test_commands_parse(page: str) -> None:
    found = commands((ROOT / page).read_text(encoding="utf-8"))
    assert found
    for words in found:
        command = get_command(app)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(command.name, words)  # raises on an unknown option or a missing argument


def test_the_example_of_quality_over_training_trains_what_its_grid_scores() -> None:
    folder = ROOT / "examples/quality-over-training"
    recipe, script = read_recipe(folder / "recipe.toml", TransformerRecipe), (folder / "run.sh").read_text()
    stretches = next(line for line in script.splitlines() if line.startswith("for steps in")).split(";")[0].split()[3:]
    checkpoints = load_spec(folder / "grid.toml").model.checkpoint
    assert checkpoints == tuple(f"{recipe.output}/step-{steps}" for steps in stretches)
    assert [int(steps) for steps in stretches] == sorted(int(steps) for steps in stretches)
    assert recipe.train.steps == int(stretches[-1])


def test_the_page_names_every_setting_and_its_grid_is_valid() -> None:
    page = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
    for name, field in GateSection.model_fields.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        default = (*field.default, None)[0] if isinstance(field.default, tuple) else field.default
        shown = row.split("|")[2].strip().strip("`").strip('"')
        assert shown == ("none" if default is None else str(default))
    grid, tiers = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    parse_spec(tomllib.loads(f"{grid}\n{tiers}"), "docs/gate.md")


@pytest.mark.parametrize("script", sorted((ROOT / "examples" / "cluster").iterdir()), ids=lambda path: path.name)
def test_scripts_for_clusters_are_valid_shell(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
