"""The progress of a run, followed from another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.errors import IncompleteRunError
from bench.progress.reporter import Best, Place, Reporter
from bench.progress.state_file import read_state
from bench.report.watch import watch
from bench.run.lock import locked
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_is_followed_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(10.0, quiet=True, images=10, folder=tmp_path) as progress:
        progress.best(Best("cosine-8-4-abcdef", "fd", 1.5, 64))
        progress.at(Place("inpaint", "cats", 1, 2))
        state = read_state(tmp_path)
        assert state is not None
        assert (state.place, state.best) == (Place("inpaint", "cats", 1, 2), Best("cosine-8-4-abcdef", "fd", 1.5, 64))
        lock = locked(tmp_path)
        lock.__enter__()

        def end(_: float) -> None:
            (tmp_path / "run.json").touch()
            lock.__exit__(None, None, None)

        watch(tmp_path, as_json=True, sleep=end)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split('"')[3] for line in lines] == ["start", "end"]
    assert '"finished": true' in lines[-1]
    assert read_state(tmp_path) is None, "a finished run leaves no progress"


def test_a_run_that_stopped_or_never_began_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run folder"):
        watch(tmp_path / "none")
    with pytest.raises(InputError, match="no run in progress"):
        watch(tmp_path)
    with pytest.raises(KeyError), Reporter(10.0, quiet=True, folder=tmp_path) as progress:
        progress.at(Place("inpaint"))
        raise KeyError
    with pytest.raises(IncompleteRunError, match="stopped before its end"):
        watch(tmp_path)
    (tmp_path / "progress.json").write_text("[]")
    with pytest.raises(InputError, match="no run in progress"):
        watch(tmp_path)
