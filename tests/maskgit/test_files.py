"""Files and folders appear whole or not at all, wherever the writer fails or is killed.

Every call that touches the disk is a fault point: it fails with an error, or the process ends there at once. A killed
writer is a real process; what it left is swept by the next, which then finishes the job.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from maskgit import files
from maskgit.errors import InputError
from maskgit.files import make_writable, new_file, require_new, sweep, write_bytes, write_files, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("open", "mkdir", "fsync", "replace", "rename", "unlink", "rmdir")
OLD, NEW = b"old " * 3000, b"new " * 5000
MOST_POINTS = 200


class Faults:
    """Counts the calls that touch the disk; the one numbered `point`, from 0, fails or kills the process.

    A killed write leaves half of what it was to write.
    """

    def __init__(self, point: int, kill: bool) -> None:
        self.point, self.kill, self.calls, self.names = point, kill, 0, []

    def strike(self, name: str, last_words: Callable[[], object] = lambda: None) -> None:
        self.names.append(name)
        self.calls += 1
        if self.calls - 1 != self.point:
            return
        if self.kill:
            last_words()
            os._exit(9)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def install(self, set_attribute: Callable[[object, str, object], None]) -> None:
        for name in CALLS:
            set_attribute(os, name, self._faulty(name, getattr(os, name)))
        fdopen = os.fdopen

        def open_faulty(descriptor: int, mode: str) -> FaultyFile:
            return FaultyFile(fdopen(descriptor, mode), self)

        set_attribute(os, "fdopen", open_faulty)

    def _faulty(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def faulty(*args: object, **kwargs: object) -> object:
            self.strike(name)
            return call(*args, **kwargs)

        return faulty


class FaultyFile:
    """A file whose writes and flushes are fault points."""

    def __init__(self, file: object, faults: Faults) -> None:
        self.file, self.faults = file, faults

    def __enter__(self) -> FaultyFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        half = len(content) // 2

        def write_half() -> None:
            self.file.write(content[:half])
            self.file.flush()

        self.faults.strike("write", write_half)
        self.file.write(content)

    def flush(self) -> None:
        self.faults.strike("flush")
        self.file.flush()


def fill(folder: Path) -> None:
    (folder / "a").write_bytes(NEW)
    (folder / "b").mkdir()
    (folder / "b" / "c").write_bytes(NEW)
    (folder / "d").write_bytes(NEW)


def replace_file(root: Path) -> None:
    write_bytes(root / "file", NEW)


def write_deep_file(root: Path) -> None:
    write_bytes(root / "new" / "deep" / "file", NEW)


def replace_pair(root: Path) -> None:
    write_files(root, {"file": NEW, "manifest": NEW})


def make_new_folder(root: Path) -> None:
    write_folder(root / "out", fill)


def fill_empty_folder(root: Path) -> None:
    write_folder(root / "empty", fill)


def prove_writable(root: Path) -> None:
    make_writable(root / "probed")


JOBS = {
    job.__name__: job
    for job in (replace_file, write_deep_file, replace_pair, make_new_folder, fill_empty_folder, prove_writable)
}


def arrange(root: Path) -> Path:
    (root / "empty").mkdir(parents=True)
    (root / "file").write_bytes(OLD)
    (root / "manifest").write_bytes(OLD)
    return root


def contents(root: Path) -> dict[str, bytes | None]:
    """Every file and folder, temporaries and what they hold left out."""
    paths = [p for p in root.rglob("*") if not any(part.endswith(files.TEMPORARY) for part in p.parts)]
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in paths}


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.name.endswith(files.TEMPORARY)]


@pytest.fixture
def states(tmp_path: Path) -> Callable[[str], tuple[dict[str, bytes | None], dict[str, bytes | None]]]:
    """What the disk holds before and after an undisturbed job."""

    def before_and_after(job: str) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
        root = arrange(tmp_path / "undisturbed")
        before = contents(root)
        JOBS[job](root)
        assert not leftovers(root)
        return before, contents(root)

    return before_and_after


def is_whole(job: str, seen: dict[str, bytes | None], before: dict, after: dict) -> bool:
    """Whether every file is old or new, and every folder that is made at once is whole or not there."""
    if job == "make_new_folder":
        return seen in (before, after)
    if job == "fill_empty_folder":  # moved in entry by entry, each of them whole
        return seen.items() <= after.items()
    return all(content in (before.get(name, content), after.get(name)) for name, content in seen.items())


@pytest.mark.parametrize("job", JOBS)
def test_whatever_fails_the_old_or_the_new_is_there_and_nothing_else(
    tmp_path: Path, job: str, states: Callable
) -> None:
    before, after = states(job)
    for point in range(MOST_POINTS):
        root, faults = arrange(tmp_path / str(point)), Faults(point, kill=False)
        with pytest.MonkeyPatch.context() as patch:
            faults.install(patch.setattr)
            try:
                JOBS[job](root)
            except (OSError, InputError):
                pass
            else:  # a failure while tidying up is no failure of the job
                assert contents(root) == after
        assert is_whole(job, contents(root), before, after), faults.names
        if faults.calls <= point:
            break
        if contents(root) != after:
            JOBS[job](root)
        sweep(root, recursive=True)
        assert contents(root) == after
        assert not leftovers(root)
    assert 3 < point < MOST_POINTS - 1


@pytest.mark.skipif(files.fcntl is None, reason="no leftover is known to be one without locks")
@pytest.mark.parametrize("job", JOBS)
def test_wherever_it_is_killed_the_same_command_finishes_the_job(tmp_path: Path, job: str, states: Callable) -> None:
    before, after = states(job)
    left = 0
    for root in kill_everywhere(tmp_path / "killed", job):
        assert is_whole(job, contents(root), before, after)
        left += len(leftovers(root))
        if contents(root) != after:
            JOBS[job](root)
        sweep(root, recursive=True)
        assert contents(root) == after
        assert not leftovers(root)
    assert left, "no kill left anything to sweep: the test tests nothing"


def kill_everywhere(folder: Path, job: str) -> list[Path]:
    """What every kill of a job leaves behind, in the order of the fault points."""
    folder.mkdir()
    subprocess.run([sys.executable, __file__, folder, job], cwd=ROOT, check=True)
    roots = sorted(folder.iterdir(), key=lambda path: int(path.name))
    assert len(roots) > 3
    return roots


def kill_at_every_point(folder: Path, job: str) -> None:
    """Fork a process for each fault point, until one gets through."""
    for point in range(MOST_POINTS):
        root = arrange(folder / str(point))
        child = os.fork()
        if not child:
            Faults(point, kill=True).install(setattr)
            JOBS[job](root)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            shutil.rmtree(root)
            return
    raise AssertionError("no end of fault points")


def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_end(tmp_path: Path) -> None:
    root, faults = arrange(tmp_path / "root"), Faults(-1, kill=False)
    with pytest.MonkeyPatch.context() as patch:
        faults.install(patch.setattr)
        replace_file(root)
        calls = [name for name in faults.names if name in ("write", "fsync", "replace")]
    assert calls == ["write", "fsync", "replace", "fsync"]


def test_writers_of_one_file_never_collide_and_readers_see_it_whole(tmp_path: Path) -> None:
    path, kinds = tmp_path / "shared", [bytes([value]) * 300_000 for value in range(4)]
    write_bytes(path, kinds[0])
    writers = [threading.Thread(target=lambda k=kind: [write_bytes(path, k) for _ in range(10)]) for kind in kinds]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in kinds
        sweep(tmp_path)  # what living writers hold stays
    assert list(tmp_path.iterdir()) == [path]


def test_no_link_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    tokens = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: next(tokens))
    (tmp_path / f".{'0' * 16}{files.TEMPORARY}").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_bytes(tmp_path / "file", NEW)
    link = tmp_path / "link"
    link.symlink_to(victim)
    write_bytes(link, NEW)
    assert victim.read_bytes() == OLD
    assert link.read_bytes() == NEW
    assert not link.is_symlink()


def test_a_block_that_raises_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, OLD)
    with pytest.raises(KeyboardInterrupt), new_file(path) as file:
        file.write(NEW)
        raise KeyboardInterrupt
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def fill_half(folder: Path) -> None:
    (folder / "a").write_bytes(NEW)
    raise KeyboardInterrupt


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_gets_all_files_or_none(tmp_path: Path, exists: bool) -> None:
    out = tmp_path / "parent" / "out"
    if exists:
        out.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        write_folder(out, fill_half)
    assert not list(tmp_path.rglob("a"))
    assert out.exists() == exists
    before = out.stat().st_ino if exists else None
    write_folder(out, fill)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == ["a", "b", "b/c", "d"]
    assert list(out.parent.iterdir()) == [out]
    if exists:
        assert out.stat().st_ino == before, "an existing folder stays the same one"


def test_a_folder_that_holds_something_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out, named in ((tmp_path, "holds files already"), (tmp_path / "file", "a file; give")):
        with pytest.raises(InputError, match=named):
            write_folder(out, fill)
        with pytest.raises(InputError, match=named):
            require_new(out)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_the_user_put_there_since_the_kill_stays(tmp_path: Path) -> None:
    empties = [root / "empty" for root in kill_everywhere(tmp_path / "killed", "fill_empty_folder")]
    empty = next(empty for empty in empties if 0 < len(contents(empty)) < len(contents(empties[-1])))
    assert (empty / "a").read_bytes() == NEW
    (empty / "a").unlink()
    write_bytes(empty / "a", b"mine")
    with pytest.raises(InputError, match="holds files already"):
        require_new(empty)
    assert contents(empty) == {"a": b"mine"}


if __name__ == "__main__":
    kill_at_every_point(Path(sys.argv[1]), sys.argv[2])
