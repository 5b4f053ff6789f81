"""Files made to do harm: each is one line, without code that runs, without end and without filling the memory."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.files import MOST_ROWS, parse_table
from bench.results.record import read_sealed, write_sealed
from maskgit.checkpoints.checkpoint import file_digest
from maskgit.checkpoints.weight_files import read_content
from maskgit.data.decode import decode
from maskgit.errors import InputError

ENDLESS = Path("/dev/zero")
needs_device = pytest.mark.skipif(not ENDLESS.exists(), reason="no device without end")


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_run, tmp_path / "run", ignore=shutil.ignore_patterns("store"))
    return tmp_path / "run"


@needs_device
@pytest.mark.parametrize("name", ["run.json", "cells.parquet"])
def test_a_link_to_a_device_is_no_file_of_a_run(run: Path, name: str) -> None:
    (run / name).unlink()
    (run / name).symlink_to(ENDLESS)
    assert f"{name}: not a regular file" in refused("report", run)


def test_a_small_table_of_countless_rows_is_refused_before_it_is_read(run: Path) -> None:
    rows = MOST_ROWS + 1_000_000
    pq.write_table(
        pa.table({"cell_id": pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), ["x"])}), run / "x"
    )
    assert (run / "x").stat().st_size < 10_000
    (run / "x").replace(run / "cells.parquet")
    record = read_sealed(run / "run.json")
    write_sealed(run / "run.json", {**record, "files": {}})  # so that nothing but the table itself gives it away
    assert "cells.parquet" in refused("report", run)
    with pytest.raises(pa.ArrowException, match="3,000,000 rows in"):
        parse_table((run / "cells.parquet").read_bytes())


@needs_device
def test_an_image_that_is_a_link_to_a_device_or_claims_an_absurd_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(ENDLESS)
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "huge.png").write_bytes(content)
    for name in ("link.png", "huge.png"):
        with pytest.raises(InputError):
            decode(tmp_path / name, 3)


class Harmful:
    """Runs a command when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("archive", [False, True])
def test_a_pickle_that_would_run_a_command_runs_nothing(tmp_path: Path, archive: bool) -> None:
    mark, path = tmp_path / "ran", tmp_path / "weights.pt"
    content = pickle.dumps({"model": Harmful(mark)}, protocol=2)
    if archive:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("weights/data.pkl", content)
            file.writestr("weights/version", "3\n")
    else:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_content(path, file_digest(path))
    assert "\n" not in str(error.value)
    assert not mark.exists()


@pytest.mark.parametrize("length", [2**63, 2**40, 10**9])
def test_safetensors_with_an_absurd_header_are_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}')
    with pytest.raises(InputError, match="not a safetensors file"):
        read_content(path, file_digest(path))


@pytest.mark.parametrize("name", ["a\x1b]0;owned\x07b", "a\x1b[2Jb", "a\u202eb", "a\nb"])
def test_a_name_never_reaches_the_terminal_as_a_command(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    for command in (("report", tmp_path / name), ("plan", tmp_path / name / "grid.toml")):
        message = refused(*command)
        assert not set("\x1b\x07\u202e") & set(message)
