"""The end of commands: the exit code is that of the refusal, even if the message cannot be written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_OK, EXIT_REGRESSION

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


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["nonsense"], "No such command 'nonsense'; see root --help"),
        (["show", "--nonsense"], "No such option: --nonsense; see root show --help"),
        (["gate", "run"], "Missing option '--baseline'; see root gate --help"),
        (
            ["report", "--format", "pdf"],
            "'pdf' is not one of 'rich', 'markdown', 'html', 'json', 'csv', 'parquet'; see root report",
        ),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_remedy(command: list[str], message: str) -> None:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == EXIT_BAD_INPUT
    (line,) = result.stderr.splitlines()
    assert line.startswith("maskbench: ")
    assert message in line


def test_a_group_without_a_command_shows_its_help() -> None:
    assert "catfaces" in CliRunner().invoke(app, ["data"]).output


WAITS = """
import time
import typer
from bench.cli.group import MaskbenchGroup, guarded

app = typer.Typer(cls=MaskbenchGroup)


@app.command()
def wait(ctx: typer.Context) -> None:
    ctx.meta["how_to_resume"] = "the same command resumes"
    print("started", flush=True)
    time.sleep(60)


@app.command()
def other() -> None:
    pass


guarded(app)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_end_of_a_job_or_terminal_is_an_interrupt_that_says_how_to_resume(name: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED
    assert errors == "maskbench: interrupted; the same command resumes\n"


def test_under_nohup_a_closed_terminal_ends_nothing() -> None:
    program = WAITS.replace("time.sleep(60)", "import os, signal; os.kill(os.getpid(), signal.SIGHUP)")
    ignored = subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{program}", "wait"],
        capture_output=True,
        text=True,
    )
    assert (ignored.returncode, ignored.stderr) == (EXIT_OK, "")


WRITES = """
import resource
from pathlib import Path
import typer
from bench.cli.group import MaskbenchGroup, guarded
from maskgit.files import write_bytes

app = typer.Typer(cls=MaskbenchGroup)


@app.command()
def write(path: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a full disk: the system takes no more of the file
    write_bytes(path, bytes(5000))


@app.command()
def other() -> None:
    pass


guarded(app)
"""


def test_a_disk_that_takes_no_more_is_one_line_with_the_file_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("old")
    result = subprocess.run(
        [sys.executable, "-c", WRITES, "write", str(tmp_path / "kept")], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert (
        result.stderr == f"maskbench: {tmp_path / 'kept'}: File too large; free space and run the same command again\n"
    )
    assert (tmp_path / "kept").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
