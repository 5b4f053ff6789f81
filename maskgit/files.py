"""Atomic writing of files and folders, safe against kills and power cuts; the only module that implements it.

Content is written under a temporary name in the target folder, flushed to disk and renamed; then the folder is flushed. A
temporary name is new every time and created exclusively, so two writers never share one and no link is followed. Its
writer holds a lock on it that ends with the process: a temporary file without a lock is a leftover, and `sweep` removes it.
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
except ImportError:  # Windows: no locks, so leftovers cannot be recognised
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".maskgit-tmp"
CONTENTS, MOVES = "contents", "moves.json"  # within a temporary folder
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
LEFTOVER = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


# --- files ----------------------------------------------------------------------------------------------------------


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file in a `with` block; it replaces `path` when the block ends, unless the block raises.

    Raises:
        OSError: The file cannot be written; the old one is untouched.
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
    except BaseException as error:
        with suppress(OSError):  # its new name may be its only one
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None:  # a full disk: the system does not say for which file
            error.filename = str(path)
        raise


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically; on failure, the old one stays.

    Raises:
        OSError: It cannot be written.
    """
    with new_file(path) as file:
        file.write(content)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write several files of a folder: all are on disk before they are renamed in the given order.

    Raises:
        OSError: A file cannot be written; then none is replaced, unless a rename itself failed.
    """
    sweep(folder)
    with ExitStack() as files:
        for name, content in reversed(list(contents.items())):  # an exit stack closes in reverse order
            files.enter_context(new_file(folder / name)).write(content)


# --- folders --------------------------------------------------------------------------------------------------------


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each flushed to disk before the next.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def make_writable(folder: Path) -> None:
    """Make a folder if there is none, remove leftovers, and check that it is writable by writing a file.

    Raises:
        OSError: It cannot be made or written to; the caller says what to do.
    """
    make_folder(folder)
    sweep(folder)
    with temporary_file(folder):
        pass


@contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """An empty file under a new, temporary name for a `with` block.

    Raises:
        OSError: It cannot be made.
    """
    path, descriptor = _create_file(folder)
    try:
        yield path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def require_new(out: Path) -> None:
    """Refuse a file or a folder that is not empty; leftovers of an interrupted command are removed first.

    Raises:
        InputError: `out` is a file or is not empty.
    """
    if out.is_dir():
        sweep(out)
        if any(out.iterdir()):
            raise InputError(f"{one_line(str(out))}: holds files already; give a new or an empty folder")
    elif out.exists():
        raise InputError(f"{one_line(str(out))}: a file; give a new or an empty folder")


def write_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder atomically.

    A folder that does not exist is filled under a temporary name next to it and renamed. An existing empty folder is kept,
    since it may be a mount point or have special permissions; its contents are moved in at the end. If the process is killed
    during that, the next command removes them.

    Args:
        out: New or empty folder.
        fill: Writes files and folders into the folder it is given.

    Raises:
        InputError: `out` is not empty, is a file, or cannot be written; nothing is left behind.
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
    """Flush a folder's entries to disk if the system supports it."""
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
    """Remove leftovers of killed writers from a folder; files of running writers, and any that cannot be removed, stay."""
    if fcntl is None:
        return
    for where, folders, files in os.walk(folder):
        for name in [name for name in (*folders, *files) if name.endswith(TEMPORARY)]:
            with suppress(OSError):
                _remove_leftover(Path(where) / name)
        folders[:] = [name for name in folders if recursive and not name.endswith(TEMPORARY)]


def _remove_leftover(path: Path) -> None:
    try:
        descriptor = os.open(path, LEFTOVER | os.O_RDWR)  # network file systems lock only files opened for writing
    except IsADirectoryError:
        descriptor = os.open(path, LEFTOVER | os.O_RDONLY)
    try:
        if not lock(descriptor):
            return
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            _undo_moves(path)
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _undo_moves(temporary: Path) -> None:
    """Remove entries that were moved out of a temporary folder, unless all of them were moved or they changed since."""
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
    """A new, locked folder under a temporary name, and its descriptor if the system has one."""
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
    """Lock a new file or folder; False if a sweep removed it first."""
    try:
        return lock(descriptor) and os.fstat(descriptor).st_nlink > 0
    except OSError:  # a file system without locks, on which nothing is swept
        return True


def lock(descriptor: int, shared: bool = False) -> bool:
    """Lock an open file or folder until it is closed; False if another process holds the lock.

    Args:
        descriptor: The open file; for a shared lock on a network file system, it is open for reading too.
        shared: Other processes may hold a shared lock at the same time.

    Raises:
        OSError: The file system has no locks.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _move_entries(contents: Path, target: Path) -> None:
    """Move the contents of a temporary folder into its parent, after writing a list of them for `_undo_moves`."""
    entries = sorted(contents.iterdir())
    moves = {entry.name: _identity(entry) for entry in entries}
    write_bytes(contents.parent / MOVES, json.dumps(moves).encode())
    for entry in entries:
        entry.rename(target / entry.name)
    sync_folder(target)


def _identity(entry: Path) -> list[int]:
    """Numbers that stay when a file is renamed and change when it is modified."""
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
