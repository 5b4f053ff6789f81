"""Files and folders that appear whole or not at all, also after a kill or a power cut: the only place that knows how.

Content is written under a temporary name where it belongs, flushed to the disk, renamed, and the folder flushed too. A
temporary name is new every time and created exclusively, so two writers never share one and no link is followed. Its
writer holds a lock on it, which ends with the process: a temporary without one is a leftover, and `sweep` removes it.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

try:
    import fcntl
except ImportError:  # Windows: no locks, so no leftover is known to be one
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".maskgit-tmp"
CONTENTS, MOVES = "contents", "moves.json"  # within a temporary folder
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
LEFTOVER = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


# --- files ----------------------------------------------------------------------------------------------------------


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file in a `with` block; it replaces what is at `path` when the block ends, and nothing if it raises.

    Raises:
        OSError: It cannot be written; what was there before is untouched.
    """
    make_folder(path.parent)
    temporary, descriptor = _create_file(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):  # its new name may be its only one
            temporary.unlink()
        raise


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole, or leave what is there.

    Raises:
        OSError: It cannot be written.
    """
    with new_file(path) as file:
        file.write(content)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write several files of a folder: all are on the disk before the first gets its name, in the order given.

    Raises:
        OSError: One cannot be written; none is replaced then, unless a rename itself failed.
    """
    sweep(folder)
    with ExitStack() as files:
        for name, content in reversed(list(contents.items())):  # an exit stack leaves the last first
            files.enter_context(new_file(folder / name)).write(content)


# --- folders --------------------------------------------------------------------------------------------------------


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before the next.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def make_writable(folder: Path) -> None:
    """Make a folder where there is none, clear it of leftovers, and prove that it takes files by writing one.

    Raises:
        OSError: It cannot be made or written to; the caller says what to do.
    """
    make_folder(folder)
    sweep(folder)
    probe, descriptor = _create_file(folder)
    os.close(descriptor)
    probe.unlink()


def require_new(out: Path) -> None:
    """Refuse a folder that holds something, or a file; leftovers of an interrupted command are cleared away.

    Raises:
        InputError: It does, or is.
    """
    if out.is_dir():
        sweep(out)
        if any(out.iterdir()):
            raise InputError(f"{one_line(str(out))}: holds files already; give a new or an empty folder")
    elif out.exists():
        raise InputError(f"{one_line(str(out))}: a file; give a new or an empty folder")


def write_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder: all of it, or nothing.

    A folder that does not exist is filled beside its place and renamed. An empty one that exists stays, for it may be a
    mount point or have rights of its own; what it gets is moved in at the end, and moved out again by the next command
    if this one is killed in the middle of that.

    Args:
        out: Folder to make, or an empty one.
        fill: Writes files and folders into the folder it is given.

    Raises:
        InputError: `out` holds something, is a file, or cannot be written; nothing is left behind.
    """
    try:
        require_new(out)
        target, exists = out.resolve(), out.is_dir()
        with _temporary_folder(target if exists else target.parent) as temporary:
            contents = temporary / CONTENTS
            contents.mkdir()
            fill(contents)
            _sync_tree(contents)
            if exists:
                _move_entries(contents, target)
            else:
                contents.rename(target)
                sync_folder(target.parent)
    except OSError as error:
        raise InputError(
            f"{one_line(str(out))}: cannot be written ({error.strerror}); give a folder that can"
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)


# --- leftovers ------------------------------------------------------------------------------------------------------


def sweep(folder: Path, recursive: bool = False) -> None:
    """Remove from a folder what killed writers left there; what a living one writes, and what cannot be removed, stays."""
    if fcntl is None:
        return
    for where, folders, files in os.walk(folder):
        for name in [name for name in (*folders, *files) if name.endswith(TEMPORARY)]:
            with suppress(OSError):
                _remove_leftover(Path(where) / name)
        folders[:] = [name for name in folders if recursive and not name.endswith(TEMPORARY)]


def _remove_leftover(path: Path) -> None:
    try:
        descriptor = os.open(path, LEFTOVER | os.O_RDWR)  # a network file system locks only what may be written
    except IsADirectoryError:
        descriptor = os.open(path, LEFTOVER | os.O_RDONLY)
    try:
        if not _lock(descriptor):
            return
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            _undo_moves(path)
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _undo_moves(temporary: Path) -> None:
    """Remove the entries that were moved out of a temporary folder, unless all were or they were changed since."""
    moves, contents = temporary / MOVES, temporary / CONTENTS
    if not moves.is_file() or not contents.is_dir() or not any(contents.iterdir()):
        return
    for name, identity in json.loads(moves.read_text(encoding="utf-8")).items():
        entry = temporary.parent / name
        if os.path.lexists(entry) and _identity(entry) == identity:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


# --- temporaries ----------------------------------------------------------------------------------------------------


def _create_file(folder: Path) -> tuple[Path, int]:
    """A new, locked file under a temporary name, and its descriptor."""
    while True:
        path = folder / f".{secrets.token_hex(8)}{TEMPORARY}"
        descriptor = os.open(path, NEW_FILE, 0o666)
        if _claim(descriptor):
            return path, descriptor
        os.close(descriptor)


def _create_folder(folder: Path) -> tuple[Path, int | None]:
    """A new, locked folder under a temporary name, and its descriptor where the system has such."""
    while True:
        path = folder / f".{secrets.token_hex(8)}{TEMPORARY}"
        path.mkdir()
        if os.name == "nt":
            return path, None
        with suppress(FileNotFoundError):  # swept before it could be opened
            descriptor = os.open(path, os.O_RDONLY)
            if _claim(descriptor):
                return path, descriptor
            os.close(descriptor)


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    """A new, locked folder under a temporary name for a `with` block, removed at its end."""
    make_folder(folder)
    sweep(folder)
    path, descriptor = _create_folder(folder)
    try:
        yield path
    finally:
        with suppress(OSError):
            _undo_moves(path)
        shutil.rmtree(path, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _claim(descriptor: int) -> bool:
    """Lock what was just created; False where a sweep came in between."""
    try:
        return _lock(descriptor) and os.fstat(descriptor).st_nlink > 0
    except OSError:  # a file system without locks, on which nothing is ever swept
        return True


def _lock(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed; False where another process holds the lock.

    Raises:
        OSError: The file system has no locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _move_entries(contents: Path, target: Path) -> None:
    """Move what a temporary folder holds into the folder it lies in; `_undo_moves` reads what this writes first."""
    entries = sorted(contents.iterdir())
    moves = {entry.name: _identity(entry) for entry in entries}
    write_bytes(contents.parent / MOVES, json.dumps(moves).encode())
    for entry in entries:
        entry.rename(target / entry.name)
    sync_folder(target)


def _identity(entry: Path) -> list[int]:
    """What a file keeps when it is renamed, and loses when it is changed."""
    status = entry.lstat()
    return [status.st_ino, status.st_mtime_ns]


def _sync_tree(folder: Path) -> None:
    """Flush every file and folder below a folder, and itself, to the disk."""
    for where, _, files in os.walk(folder, topdown=False):
        for name in files:
            descriptor = os.open(Path(where) / name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(where))
