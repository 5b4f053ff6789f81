"""The store serves what was stored, or nothing: never less, more or other rows, whatever became of its files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.files import prepare_folder, read_table, table_bytes, write_bytes
from bench.results.schema import CELLS, SCHEMA_VERSION, cells_schema, write_table
from bench.store.kinds import REFERENCE, TRAJECTORIES
from bench.store.store import ASIDE, Store
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, OTHER_KEY = "ab12", "ab34"
FIRST = pa.table({"step": [1, 1, 2, 2], "image_id": [0, 1, 0, 1], "x": [1.0, 2.0, 3.0, 4.0]})
SECOND = pa.table({"step": [3, 3], "image_id": [0, 1], "x": [5.0, 6.0]})
WHOLE = pa.table({"feature": [float(i) for i in range(100)]})


def rows(table: pa.Table | None) -> list[dict[str, object]]:
    return [] if table is None else sorted(table.to_pylist(), key=lambda row: tuple(row.values()))


def parts(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*.parquet")) if path.parent.name != ASIDE]


def test_what_is_appended_is_read_and_never_rewritten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read(TRAJECTORIES, KEY) is None
    store.append(TRAJECTORIES, KEY, FIRST)
    before = {path: path.stat().st_mtime_ns for path in parts(tmp_path)}
    store.append(TRAJECTORIES, KEY, SECOND)
    assert rows(store.read(TRAJECTORIES, KEY)) == rows(pa.concat_tables([FIRST, SECOND]))
    assert before.items() <= {path: path.stat().st_mtime_ns for path in parts(tmp_path)}.items()


def test_what_is_stored_is_not_computed_again(tmp_path: Path) -> None:
    calls = []

    def compute() -> pa.Table:
        calls.append(1)
        return WHOLE

    for _ in range(2):
        assert Store(tmp_path).get_or_compute(REFERENCE, KEY, compute).equals(WHOLE)
    assert len(calls) == 1


def test_what_is_missing_is_computed_from_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(TRAJECTORIES, KEY, FIRST)
    seen: list[pa.Table | None] = []

    def missing(stored: pa.Table | None) -> pa.Table:
        seen.append(stored)
        return SECOND

    both = rows(pa.concat_tables([FIRST, SECOND]))
    assert rows(store.complete(TRAJECTORIES, KEY, missing)) == both
    assert rows(store.complete(TRAJECTORIES, KEY, lambda stored: None)) == both
    assert rows(seen[0]) == rows(FIRST)


def flip_each_bit_of_a_byte(content: bytes) -> list[bytes]:
    return [
        bytes([*content[:at], content[at] ^ 1 << at % 8, *content[at + 1 :]])
        for at in range(0, len(content), max(1, len(content) // 60))
    ]


def test_no_damage_is_served(tmp_path: Path) -> None:
    Store(tmp_path).append(REFERENCE, KEY, WHOLE)
    (part,) = parts(tmp_path)
    content = part.read_bytes()
    damages = [*flip_each_bit_of_a_byte(content), b"", content[:-10], content[: len(content) // 2], content + b"x"]
    assert len(damages) > 50
    for damaged in damages:
        part.write_bytes(damaged)
        store, named = Store(tmp_path), []
        store.on_damage = named.append
        assert store.read(REFERENCE, KEY) is None
        assert store.read(REFERENCE, KEY) is None
        assert len(named) == 1, "named once"
        assert part.name in named[0]


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flipped, lambda path: path.write_bytes(b""), lambda path: path.unlink()])
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_part_is_set_aside_and_computed_again(tmp_path: Path, damage: Callable, lost: int) -> None:
    tables = {"first": FIRST, "second": SECOND}
    for table in tables.values():
        Store(tmp_path).append(TRAJECTORIES, KEY, table)
    before = {path: path.read_bytes() for path in parts(tmp_path)}
    damage(parts(tmp_path)[lost])
    both = pa.concat_tables([FIRST, SECOND])

    def missing(stored: pa.Table | None) -> pa.Table:
        kept = rows(stored)
        return pa.Table.from_pylist([row for row in both.to_pylist() if row not in kept], schema=both.schema)

    assert rows(Store(tmp_path).complete(TRAJECTORIES, KEY, missing)) == rows(both)
    assert {path: path.read_bytes() for path in parts(tmp_path)} == before
    reopened = Store(tmp_path)
    assert rows(reopened.read(TRAJECTORIES, KEY)) == rows(both)
    assert not reopened.damaged


def test_copies_and_strangers_change_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append(TRAJECTORIES, KEY, FIRST)
    (part,) = parts(tmp_path)
    store.append(TRAJECTORIES, OTHER_KEY, SECOND)
    store.append(REFERENCE, KEY, WHOLE)
    (stranger,) = [path for path in parts(tmp_path) if path.parent.name == OTHER_KEY]
    (kind_stranger,) = [path for path in parts(tmp_path) if REFERENCE in path.parts]
    shutil.copy(part, part.with_name(f"{part.stem} (conflicted copy).parquet"))
    shutil.copy(stranger, part.parent)
    shutil.copy(kind_stranger, part.parent)
    reopened = Store(tmp_path)
    assert rows(reopened.read(TRAJECTORIES, KEY)) == rows(FIRST)
    assert len(reopened.damaged) == 3


def test_overlapping_parts_give_each_row_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for table in (FIRST, pa.concat_tables([FIRST, SECOND]), SECOND):
        store.append(TRAJECTORIES, KEY, table)
    assert len(parts(tmp_path)) == 3
    assert rows(store.read(TRAJECTORIES, KEY)) == rows(pa.concat_tables([FIRST, SECOND]))


def test_parts_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They are named by their content too, and carry neither key nor page checksums."""
    import hashlib

    sink = pa.BufferOutputStream()
    pq.write_table(WHOLE, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    write_bytes(tmp_path / REFERENCE / KEY[:2] / KEY / f"{hashlib.sha256(content).hexdigest()[:16]}.parquet", content)
    store = Store(tmp_path)
    table = store.read(REFERENCE, KEY)
    assert table is not None
    assert table.equals(WHOLE)
    store.append(REFERENCE, KEY, WHOLE)  # as two versions on one store would
    again = store.read(REFERENCE, KEY)
    assert again is not None
    assert again.equals(WHOLE)


def test_a_part_that_cannot_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.append(REFERENCE, KEY, WHOLE)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)") as refusal:
        store.read(REFERENCE, KEY)
    assert "\n" not in str(refusal.value)
    assert not store.damaged


def test_tables_carry_page_checksums(tmp_path: Path) -> None:
    """Whoever reads a part with another tool notices damage too; the hash in its name covers the headers as well."""
    path, table = tmp_path / "table.parquet", pa.table({"x": np.random.default_rng(0).random(2000)})
    content = table_bytes(table)
    body = slice(200, len(content) // 2)  # within the first page
    for damaged in flip_each_bit_of_a_byte(content[body]):
        path.write_bytes(content[: body.start] + damaged + content[body.stop :])
        with pytest.raises(InputError, match="damaged Parquet file"):
            read_table(path)


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
