"""Claims: which of the processes that share a folder does which task.

A claim is a file that its owner creates exclusively and keeps changing, as a sign of life. It expires if it has not changed
for some time by the clock of the observer, so the clocks of different machines are never compared; or at once if its
owner was a process of the observer's machine and has ended. The observer moves an expired claim aside, which only one of
several observers can do, and creates its own. In rare cases a claim is lost although its owner lives, for example if its
machine was suspended: then a task is done twice, which is harmless.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maskgit.files import TEMPORARY, make_folder, write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CLAIM, DONE = ".claim", ".done"
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
CLAIM_BYTES = 512
SIGNS_PER_TIMEOUT = 8
JOB_VARIABLES = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID")


@dataclass(eq=False)
class Claims:
    """The claims in a folder, as one process sees them; it holds one at a time.

    Attributes:
        folder: The folder, which every process sees.
        timeout_s: Seconds without a sign of life after which a claim expires.
        clock: A clock in seconds, with any origin.
    """

    folder: Path
    timeout_s: float
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default_factory=lambda: secrets.token_hex(8))
    _seen: dict[str, tuple[bytes, float]] = field(default_factory=dict)  # content of others' claims, and since when
    _descriptor: int | None = None
    _signs: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        make_folder(self.folder)

    def is_done(self, name: str) -> bool:
        """True if some process has done a task; all have been done if the folder has been discarded."""
        return (self.folder / f"{name}{DONE}").exists() or not self.folder.is_dir()

    def take(self, name: str) -> bool:
        """Claim a task; False if another process has claimed it, or has done it."""
        if self.is_done(name):
            return False
        path = self.folder / f"{name}{CLAIM}"
        if not self._create(path) and not (self._remove_expired(path) and self._create(path)):
            return False
        if self.is_done(name):  # since the first look
            self.release(name)
            return False
        return True

    def finish(self, name: str) -> None:
        """Mark the claimed task as done."""
        write_bytes(self.folder / f"{name}{DONE}", self._content())
        self.release(name)

    def release(self, name: str) -> None:
        """Give up the claim, unless another process has taken it over."""
        path = self.folder / f"{name}{CLAIM}"
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
        if _owner(_read(path)).get("token") == self._token:
            path.unlink(missing_ok=True)

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Give signs of life during a `with` block, from a thread of its own."""
        ended = threading.Event()

        def give_signs() -> None:
            while not ended.wait(self.timeout_s / SIGNS_PER_TIMEOUT):
                self.give_sign()

        thread = threading.Thread(target=give_signs, name="signs of life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def give_sign(self) -> None:
        """Change the claim that is held, if there is one."""
        with self._lock, suppress(OSError):  # a full disk, for example: then the claim expires
            if self._descriptor is not None:
                self._signs += 1
                os.pwrite(self._descriptor, self._content(), 0)

    def _create(self, path: Path) -> bool:
        try:
            descriptor = os.open(path, NEW_FILE, 0o666)
        except (FileExistsError, FileNotFoundError):  # claimed, or discarded since the first look
            return False
        with self._lock:
            self._descriptor = descriptor
            os.pwrite(descriptor, self._content(), 0)
        return True

    def _content(self) -> bytes:
        job = "_".join(os.environ[name] for name in JOB_VARIABLES if name in os.environ)
        owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "job": job,
            "token": self._token,
            "sign": self._signs,
        }
        return json.dumps(owner).encode().ljust(CLAIM_BYTES - 1) + b"\n"

    def _remove_expired(self, path: Path) -> bool:
        """Move another process's claim aside if it has expired; False if it has not, or another observer was faster."""
        content = _read(path)
        if content is None or not self._has_expired(path.name, content):
            return content is None
        aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        expired = _read(aside) == content
        if not expired:  # it is the new claim of a faster observer
            with suppress(OSError):
                os.link(aside, path)
        aside.unlink(missing_ok=True)
        return expired

    def _has_expired(self, name: str, content: bytes) -> bool:
        owner = _owner(content)
        if owner.get("host") == socket.gethostname() and not _lives(owner.get("pid")):
            return True
        now = self.clock()
        last_content, since = self._seen.get(name, (None, now))
        if content != last_content:
            self._seen[name] = content, now
            return False
        return now - since > self.timeout_s


def discard(folder: Path) -> None:
    """Remove a folder of claims, of which all tasks have been done."""
    aside = folder.with_name(f".{secrets.token_hex(8)}{TEMPORARY}")
    with suppress(FileNotFoundError):
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _read(path: Path) -> bytes | None:
    """Content of a claim; opening a file makes network file systems ask for its newest content."""
    try:
        with path.open("rb") as file:
            return file.read(2 * CLAIM_BYTES)
    except OSError:
        return None


def _owner(content: bytes | None) -> dict[str, Any]:
    """The owner named in a claim; empty if it names none."""
    try:
        owner = json.loads(content or b"")
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _lives(pid: Any) -> bool:
    """True if a process of this machine may be running."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, TypeError, ValueError, OverflowError):  # another user's, or no number
        return True
    return True
