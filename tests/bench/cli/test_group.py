"""The end of commands: the exit code is that of the refusal, even if the message cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import EXIT_OK, EXIT_REGRESSION

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "command", [["gate", "nope", "--baseline", "nope"], ["report", "nope"], ["run", "nope.toml", "--json-logs"]]
)
def test_a_full_standard_error_changes_no_exit_code(tmp_path: Path, command: list[str]) -> None:
    program = [sys.executable, "-m", "bench.cli", *command]
    codes = []
    for place in (tmp_path / "log", FULL):
        with place.open("w") as log:
            codes.append(subprocess.run(program, cwd=tmp_path, stderr=log, stdout=subprocess.DEVNULL).returncode)
    assert codes[0] == codes[1]
    assert codes[1] not in (EXIT_OK, EXIT_REGRESSION)
    assert (tmp_path / "log").read_text()
