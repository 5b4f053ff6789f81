from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from bench.files import prepare_folder, read_table, write_bytes
from bench.results.schema import CELLS, SCHEMA_VERSION, cells_schema, write_table
from bench.store.store import Store
from maskgit.errors import InputError


def test_what_is_appended_is_read_and_never_rewritten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read("kind", "key") is None
    store.append("kind", "key", pa.table({"x": [1, 2]}))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    store.append("kind", "key", pa.table({"x": [3]}))
    table = store.read("kind", "key")
    assert table is not None
    assert sorted(table["x"].to_pylist()) == [1, 2, 3]
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}.items()


def test_a_damaged_part_is_an_error_that_names_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("kind", "key", pa.table({"x": [1]}))
    (part,) = tmp_path.rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(InputError, match=part.name):
        store.read("kind", "key")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(TypeError):
        write_bytes(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_score_column_is_fid_for_fid_alone(tmp_path: Path) -> None:
    assert cells_schema("FD") == CELLS
    assert "fid" in cells_schema("FID").names
    assert "fd" not in cells_schema("FID").names


def test_tables_carry_the_schema_version(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", pa.table({"x": [1]}))
    assert read_table(tmp_path / "t.parquet").schema.metadata[b"maskbench_schema"] == str(SCHEMA_VERSION).encode()


def test_an_output_that_takes_no_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write there"):
        prepare_folder(tmp_path / "file" / "folder")
