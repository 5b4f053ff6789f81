"""One process at a time holds a folder's lock; whoever dies has released it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.run import lock as locks
from bench.run.lock import LOCK_FILE, Owner, locked, read_owner
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import sys
from pathlib import Path
from bench.run.lock import locked
with locked(Path(sys.argv[1]), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a real process that holds the lock of the folder until its standard input is closed."""
    processes = []

    def start(kind: str = "alone") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(tmp_path), kind]
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        with process:  # closes the pipes
            pass


def test_a_held_folder_is_refused_by_name_of_the_process(hold: Callable, tmp_path: Path) -> None:
    process = hold()
    expected = rf"in use by process {process.pid} on {socket.gethostname()} since 20.*--wait.*--output"
    with pytest.raises(InputError, match=expected) as refusal, locked(tmp_path):
        pass
    assert "\n" not in str(refusal.value)
    process.communicate()
    with locked(tmp_path):
        assert read_owner(tmp_path / LOCK_FILE).pid == os.getpid()
    assert not list(tmp_path.iterdir())


def test_one_process_cannot_hold_a_lock_twice(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()} "), locked(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(hold: Callable, tmp_path: Path) -> None:
    process = hold()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert read_owner(tmp_path / LOCK_FILE).pid == process.pid, "the file is left over"
    with locked(tmp_path):
        assert read_owner(tmp_path / LOCK_FILE).pid == os.getpid()


def test_waiting_ends_with_the_holder_and_says_once_for_whom(hold: Callable, tmp_path: Path) -> None:
    process, texts = hold(), []

    def say(text: str) -> None:
        texts.append(text)
        threading.Timer(1.2 * locks.POLL_S, process.stdin.close).start()  # after the second try

    with locked(tmp_path, wait=True, on_wait=say):
        assert process.wait() == 0
    assert len(texts) == 1
    assert f"process {process.pid}" in texts[0]


def test_sharers_exclude_only_those_who_do_not_share(hold: Callable, tmp_path: Path) -> None:
    hold("shared")
    with locked(tmp_path, shared=True):
        pass
    with pytest.raises(InputError, match="in use by"), locked(tmp_path):
        pass


def test_without_locks_of_the_file_system_the_file_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, shared: bool = False) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks, "lock", no_locks)
    with locked(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()} "), locked(tmp_path):
        pass
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for owner, taken in (
        (Owner(socket.gethostname(), ended.pid, "then"), True),
        (Owner("elsewhere", 1, "then"), False),
    ):
        text = f'{{"host": "{owner.host}", "pid": {owner.pid}, "since": "{owner.since}"}}'
        (tmp_path / LOCK_FILE).write_text(text)
        if taken:
            with locked(tmp_path):
                pass
        else:
            with pytest.raises(InputError, match="process 1 on elsewhere"), locked(tmp_path):
                pass


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path):
        pass
    assert (tmp_path / "victim").read_text() == "mine"
