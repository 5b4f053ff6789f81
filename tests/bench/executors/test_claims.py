"""Claims: one owner per task; the claims of the dead expire, whatever the clocks of their machines say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.executors.claims import CLAIM, Claims, discard
from bench.executors.contract import Placement, Workload
from bench.executors.shared import SharedExecutor

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 120.0


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def claims(folder: Path, clock: Clock | None = None) -> Claims:
    return Claims(folder, TIMEOUT_S, clock or Clock())


def rewrite(folder: Path, name: str, **changes: object) -> None:
    """Change what a claim says about its owner."""
    path = folder / f"{name}{CLAIM}"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_task_has_one_owner_until_it_is_released(tmp_path: Path) -> None:
    one, two = claims(tmp_path), claims(tmp_path)
    assert one.take("a")
    assert not two.take("a")
    one.release("a")
    assert two.take("a")
    two.finish("a")
    assert one.is_done("a")
    assert not one.take("a")


def test_of_many_claimants_one_wins(tmp_path: Path) -> None:
    winners, start = [], threading.Barrier(8)

    def claim() -> None:
        mine = claims(tmp_path)
        start.wait()
        winners.extend(name for name in map(str, range(50)) if mine.take(name))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(winners, key=int) == list(map(str, range(50)))


def test_the_claim_of_a_killed_process_of_this_machine_expires_at_once(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from bench.executors.claims import Claims\n"
    code += "assert Claims(Path(sys.argv[1]), 120).take('a'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert (tmp_path / f"a{CLAIM}").exists()
    assert claims(tmp_path).take("a")


def test_a_claim_of_another_machine_expires_when_it_gives_no_sign(tmp_path: Path) -> None:
    owner, clock = claims(tmp_path), Clock()
    observer = claims(tmp_path, clock)
    assert owner.take("a")
    rewrite(tmp_path, "a", host="elsewhere", pid=1)
    os.utime(tmp_path / f"a{CLAIM}", (0, 0))  # a clock that is decades late means nothing
    assert not observer.take("a")
    clock.now = TIMEOUT_S - 1
    assert not observer.take("a")
    clock.now = TIMEOUT_S + 1
    assert observer.take("a")
    owner.release("a")  # it wakes up, and leaves the claim of its successor alone
    assert not owner.take("a")


def test_a_sign_of_life_keeps_a_claim(tmp_path: Path) -> None:
    owner, clock = claims(tmp_path), Clock()
    observer = claims(tmp_path, clock)
    assert owner.take("a")
    for _ in range(3):
        assert not observer.take("a")
        clock.now += TIMEOUT_S - 1
        owner.give_sign()
        rewrite(tmp_path, "a", host="elsewhere")
    assert not observer.take("a")


def test_signs_are_given_by_themselves(tmp_path: Path) -> None:
    owner = Claims(tmp_path, timeout_s=0.08)
    assert owner.take("a")
    before = (tmp_path / f"a{CLAIM}").read_bytes()
    with owner.alive():
        for _ in range(1000):
            if (tmp_path / f"a{CLAIM}").read_bytes() != before:
                return
            time.sleep(0.01)
    pytest.fail("no sign of life")


def test_of_two_observers_of_an_expired_claim_one_takes_it_over(tmp_path: Path) -> None:
    clock, observers = Clock(), []
    assert claims(tmp_path).take("a")
    rewrite(tmp_path, "a", host="elsewhere")
    for _ in range(2):
        observers.append(claims(tmp_path, clock))
        assert not observers[-1].take("a")
    clock.now = TIMEOUT_S + 1
    assert [observer.take("a") for observer in observers] == [True, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{CLAIM}"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"pid": "x"}', b'{"host": 1, "pid": {}}'])
def test_a_claim_that_cannot_be_read_expires_by_the_clock(content: bytes, tmp_path: Path) -> None:
    clock = Clock()
    observer = claims(tmp_path, clock)
    (tmp_path / f"a{CLAIM}").write_bytes(content)
    assert not observer.take("a")
    clock.now = TIMEOUT_S + 1
    assert observer.take("a")


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / f"a{CLAIM}").symlink_to(tmp_path / "victim")
    assert not claims(tmp_path).take("a")
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_discarded_folder_means_that_all_is_done(tmp_path: Path) -> None:
    mine = claims(tmp_path / "claims")
    discard(tmp_path / "claims")
    assert mine.is_done("a")
    assert not mine.take("a")
    assert not list(tmp_path.iterdir())


def test_tasks_done_elsewhere_are_counted_and_those_of_the_dead_done_here(tmp_path: Path) -> None:
    other = claims(tmp_path)
    assert other.take("1")
    other.finish("1")
    assert claims(tmp_path).take("2")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    rewrite(tmp_path, "2", pid=ended.pid, host=socket.gethostname())
    elsewhere: list[int] = []
    workload = Workload(lambda task: task * 10, lambda: None, done_elsewhere=elsewhere.append)
    placement = Placement(workers=None, threads=1, gpu=False, claims=tmp_path, claim_timeout_s=TIMEOUT_S)
    assert list(SharedExecutor(placement)([1, 2, 3], workload)) == [20, 30]
    assert elsewhere == [1]
