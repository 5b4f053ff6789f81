"""A folder is written whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskgit.data.whole import all_or_nothing
from maskgit.errors import InputError


def two_files(folder: Path) -> None:
    (folder / "a").write_text("1")
    (folder / "b").mkdir()
    (folder / "b" / "c").write_text("2")


def half_of_them(folder: Path) -> None:
    (folder / "a").write_text("1")
    raise KeyboardInterrupt


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_gets_all_files_or_none(tmp_path: Path, there: bool) -> None:
    out = tmp_path / "parent" / "out"
    if there:
        out.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        all_or_nothing(out, half_of_them)
    assert not list(tmp_path.rglob("a"))
    assert out.exists() == there
    before = out.stat().st_ino if there else None
    all_or_nothing(out, two_files)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == ["a", "b", "b/c"]
    assert list(out.parent.iterdir()) == [out]
    if there:
        assert out.stat().st_ino == before, "an existing folder stays the same one"


def test_a_folder_that_holds_something_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out, named in ((tmp_path, "holds files already"), (tmp_path / "file", "a file; give")):
        with pytest.raises(InputError, match=named):
            all_or_nothing(out, two_files)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
