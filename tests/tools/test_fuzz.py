"""Mutated files end in a result or in one line: a small fixed budget of what `python -m tools.fuzz` does at length."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from maskgit.errors import InputError, MaskgitError
from tools.fuzz.__main__ import Tally, batch, fuzz, table
from tools.fuzz.formats import Format, formats, fresh_copy

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


@pytest.fixture(scope="module")
def known(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Format]:
    return formats(tmp_path_factory.mktemp("fuzz"), small_run)


def test_no_mutated_file_crashes_a_reader(known: list[Format]) -> None:
    tallies = fuzz(known, seed=0, seconds=600, at_most=4)
    assert all(tally.counts.total() == 4 for tally in tallies.values())
    assert {name: tally.findings for name, tally in tallies.items() if tally.findings} == {}


def test_the_valid_files_are_read(known: list[Format], tmp_path: Path) -> None:
    """So that a mutated file is refused for its mutation."""
    for format in known:
        path = fresh_copy(format, tmp_path / "copy")
        shutil.copyfile(format.seed, path)
        taken = 0
        for read in format.readers:
            try:
                read(path)
                taken += 1
            except MaskgitError:
                pass
        assert taken, format.name


def _unchanged(seed: Path, copy: Path, rng: Random) -> None:
    copy.write_bytes(seed.read_bytes())


def test_crashes_of_every_kind_are_counted_with_their_input(tmp_path: Path) -> None:
    import os

    def refuse(path: Path) -> None:
        raise InputError("two\nlines")

    def die(path: Path) -> None:
        os.kill(os.getpid(), 9)

    def defect(path: Path) -> None:
        raise KeyError("x")

    def exhaust(path: Path) -> bytes:
        return bytes(64 << 30)

    (tmp_path / "seed").write_bytes(b"x")
    for read, expected in (
        (refuse, "no single line"),
        (die, "process ended: SIGKILL"),
        (defect, "KeyError at"),
        (exhaust, "MemoryError at"),
    ):
        tally = Tally()
        batch(Format("x", tmp_path / "seed", (read,), _unchanged), range(2), 0, tally)
        assert tally.counts["crashed"] == 2
        assert all(text.startswith(expected) for text in tally.findings.values()), tally.findings
        assert "| x | 2 | 0 | 0 | 2 |" in table({"x": tally})
