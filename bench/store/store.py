"""The content-keyed store of stored work: for each key, one folder of immutable Parquet parts.

What has been computed is never rewritten: more steps of a trajectory, or features of more canvases, are one part more.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.files import read_table, write_bytes


class Store:
    """Immutable Parquet parts by (kind, key), under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, kind: str, key: str) -> pa.Table | None:
        """All rows stored under a key, or None. A part that cannot be read whole is an error, never skipped."""
        parts = sorted(self._folder(kind, key).glob("*.parquet"))
        return pa.concat_tables([read_table(part) for part in parts]) if parts else None

    def append(self, kind: str, key: str, table: pa.Table) -> None:
        """Commit rows under a key, as one part named by its content."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue()
        name = hashlib.sha256(content).hexdigest()[:16]
        write_bytes(self._folder(kind, key) / f"{name}.parquet", content)

    def _folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / key
