from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_ci_runs_the_readme_line_for_tests_word_by_word() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if "pytest" in line]
    assert line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_the_two_lines_of_the_readme_stand_alone() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    starts = [line for line in readme if line.startswith("python3 -m venv .venv && ")]
    assert len(starts) == 2
    assert starts[0].endswith("maskbench run benchmark.toml")
    assert starts[1].endswith("pytest")


def test_the_wheel_holds_the_two_packages_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == ["bench*", "maskgit*"]
