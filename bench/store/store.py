"""The content-keyed store: for each key, one folder of immutable Parquet parts.

Results are never rewritten: more steps of a trajectory, or features of more canvases, become another part. A part is
named by the hash of its bytes and contains its own key; both are checked at every read. A part that fails a check counts
as absent: it is reported once, moved aside by the next process that computes, and computed again. Several processes may
share a store: if two of them compute the same key at the same time, their results are identical and are read once.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.files import parse_table, read_bytes, table_bytes
from bench.store.kinds import KINDS, ROW_KEYS
from maskgit.errors import InputError, one_line
from maskgit.files import make_folder, sweep, write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

NAME_DIGITS = 16
KEY = b"maskbench_key"
ASIDE = "damaged"


class Store:
    """Immutable Parquet parts by (kind, key), under one folder.

    Attributes:
        root: The folder; it need not exist yet.
        damaged: Reasons why parts are damaged, by path.
        on_damage: Called once per damaged part, with one line of text.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: dict[Path, str] = {}
        self.on_damage: Callable[[str], None] = lambda message: None

    def get_or_compute(self, kind: str, key: str, compute: Callable[[], pa.Table]) -> pa.Table:
        """All rows under a key, computed and committed first if there are none."""
        return self.complete(kind, key, lambda stored: compute() if stored is None else None)

    def complete(self, kind: str, key: str, missing: Callable[[pa.Table | None], pa.Table | None]) -> pa.Table:
        """All rows under a key; `missing` gets the stored rows and computes the rest, or None if nothing is missing."""
        stored = self.read(kind, key)
        self.clear(kind, key)
        fresh = missing(stored)
        if fresh is not None:
            self.append(kind, key, fresh)
        tables = [table for table in (stored, fresh) if table is not None]
        return _joined([table.replace_schema_metadata() for table in tables], ROW_KEYS.get(kind, ()))

    def read(self, kind: str, key: str) -> pa.Table | None:
        """All rows stored under a key, without repeats, or None.

        Raises:
            InputError: A part cannot be read (which does not count as damage).
        """
        parts = [self._read_part(path, kind, key) for path in sorted(self._folder(kind, key).glob("*.parquet"))]
        whole = [part for part in parts if part is not None]
        return _joined(whole, ROW_KEYS.get(kind, ())) if whole else None

    def append(self, kind: str, key: str, table: pa.Table) -> None:
        """Move the damaged parts of a key aside, then commit rows as one part.

        Raises:
            OSError: The part cannot be written; the stored parts are unchanged.
        """
        self.clear(kind, key)
        content = table_bytes(table.replace_schema_metadata({KEY: _label(kind, key)}))
        write_bytes(self._folder(kind, key) / f"{_name(content)}.parquet", content)

    def parts(self, keys: Iterable[tuple[str, str]]) -> dict[str, bytes]:
        """The undamaged parts under some (kind, key), by path in the store, for `adopt`."""
        contents = {}
        for kind, key in keys:
            for path in sorted(self._folder(kind, key).glob("*.parquet")):
                if self._read_part(path, kind, key) is not None:
                    contents[path.relative_to(self.root).as_posix()] = read_bytes(path)
        return contents

    def adopt(self, path: str, content: bytes) -> None:
        """Commit a part of another store under its path there.

        Raises:
            InputError: The content does not match its path.
            OSError: The part cannot be written.
        """
        kind, _, rest = path.partition("/")
        key, name = PurePosixPath(rest).parent.name, PurePosixPath(rest).stem
        target = self._folder(kind, key) / f"{name}.parquet"
        try:
            if target.relative_to(self.root).as_posix() != path or kind not in KINDS:
                raise ValueError("it is not the path of a part")
            _checked(content, name, _label(kind, key))
        except ValueError as damage:
            raise InputError(
                f"{one_line(path)}: damaged on its way from another process ({damage}); run again"
            ) from None
        if not target.exists():
            write_bytes(target, content)

    def clear(self, kind: str, key: str) -> None:
        """Move the damaged parts of a key aside; another process may have done so already."""
        folder = self._folder(kind, key)
        for path in [path for path in self.damaged if path.parent == folder]:
            make_folder(folder / ASIDE)
            with suppress(FileNotFoundError):
                path.rename(folder / ASIDE / path.name)
            del self.damaged[path]

    def sweep(self) -> None:
        """Remove the unfinished files of killed processes; those of running processes stay."""
        sweep(self.root, recursive=True)

    def _folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / key

    def _read_part(self, path: Path, kind: str, key: str) -> pa.Table | None:
        if path in self.damaged:
            return None
        try:
            content = read_bytes(path)
        except FileNotFoundError:  # another process has just moved it aside
            return None
        try:
            return _checked(content, path.stem, _label(kind, key))
        except ValueError as damage:
            self.damaged[path] = str(damage)
            self.on_damage(f"{path}: damaged ({damage}); it counts as absent and is computed again where it is needed")
            return None


def _checked(content: bytes, name: str, label: bytes) -> pa.Table:
    """The table in a part.

    Raises:
        ValueError: Its content does not match its name or its key.
    """
    if not content:
        raise ValueError("empty")
    if _name(content) != name:
        raise ValueError("its content does not match its name")
    try:
        table = parse_table(content)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    metadata = table.schema.metadata or {}
    if metadata.get(KEY, label) != label:  # parts of version 0.3 have none
        raise ValueError("it belongs to another key")
    return table.replace_schema_metadata()


def _joined(parts: list[pa.Table], row_key: tuple[str, ...]) -> pa.Table:
    """One table of several parts: the first of the rows with equal keys, or the first part if the kind has no row keys."""
    if len(parts) == 1 or not row_key:
        return parts[0]
    table = pa.concat_tables(parts)
    first: dict[tuple[object, ...], int] = {}
    for row, row_values in enumerate(zip(*(table[name].to_pylist() for name in row_key), strict=True)):
        first.setdefault(row_values, row)
    return table if len(first) == len(table) else table.take(list(first.values()))


def _label(kind: str, key: str) -> bytes:
    return f"{kind}/{key}".encode()


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:NAME_DIGITS]
