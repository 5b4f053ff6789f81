"""Locks of folders: one process at a time writes the tables of a run, and no garbage is collected while a run uses a store.

A lock is a lock of the operating system on a file in the folder, so it ends with its process: the file of a dead process
is no lock, and the next process takes it over. The file says who holds it. Reading needs no lock.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from maskgit.errors import InputError
from maskgit.files import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK_FILE = ".maskbench-lock"
POLL_S = 0.5
MOMENT_S = 0.05
OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
LARGEST_OWNER = 4096  # bytes of a lock file


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock."""

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @property
    def may_live(self) -> bool:
        """False if the process was on this machine and has ended."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is another user's
            return True
        return True


@contextmanager
def locked(
    folder: Path, *, wait: bool = False, shared: bool = False, on_wait: Callable[[str], None] = lambda text: None
) -> Iterator[None]:
    """Hold the lock of a folder for the length of a `with` block.

    Args:
        folder: The folder, which exists.
        wait: Wait until the lock is free instead of refusing.
        shared: Any number of processes may hold the lock together, but not together with one that does not share it.
        on_wait: Called once before waiting, with a text that says which process holds the lock.

    Raises:
        InputError: Another process holds the lock; the message says which one.
        OSError: The file of the lock cannot be written.
    """
    path, tried = folder / LOCK_FILE, False
    while (descriptor := _acquire(path, shared)) is None:
        if not tried:  # `is_held` of another process holds it for a moment
            tried = True
            time.sleep(MOMENT_S)
            continue
        holder = read_owner(path) or "another process"
        if not wait:
            raise InputError(f"{folder}: in use by {holder}; --wait waits for its end, --output names another folder")
        on_wait(f"{folder}: in use by {holder}; waiting")
        on_wait = _silent
        time.sleep(POLL_S)
    try:
        _write_owner(descriptor)
        yield
    finally:
        with suppress(OSError):
            if not shared or lock(descriptor):  # the last to share it removes it
                path.unlink()
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """True if a process holds the lock of a folder; does not wait, and writes nothing."""
    path = folder / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:  # there is no lock, or it is another user's
        return path.is_file() and _may_be_held(path)
    try:
        return not lock(descriptor, shared=True)
    except OSError:
        return _may_be_held(path)
    finally:
        os.close(descriptor)


def read_owner(path: Path) -> Owner | None:
    """The process named in the file of a lock; None if the file is missing or names none."""
    try:
        with path.open("rb") as file:
            return Owner(**json.loads(file.read(LARGEST_OWNER)))
    except (OSError, ValueError, TypeError):
        return None


def _acquire(path: Path, shared: bool) -> int | None:
    """Descriptor of the locked file; None if another process holds the lock."""
    while True:
        descriptor = os.open(path, OPEN, 0o666)
        try:
            free = lock(descriptor, shared=shared)
        except OSError:  # a file system without locks: only the file's content tells whether it is in use
            free = not _may_be_held(path)
        if free and _is_current(descriptor, path):
            return descriptor
        os.close(descriptor)
        if not free:
            return None


def _may_be_held(path: Path) -> bool:
    """True if the file of a lock names a process that may be running."""
    owner = read_owner(path)
    return owner is not None and owner.may_live


def _is_current(descriptor: int, path: Path) -> bool:
    """False if the previous holder has removed the file after it was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write_owner(descriptor: int) -> None:
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(Owner(socket.gethostname(), os.getpid(), since))).encode(), 0)


def _silent(text: str) -> None:
    """Say nothing: the text has been said."""
