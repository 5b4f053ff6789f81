"""docs/tables.md: the columns of every Parquet file of a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.results import schema
from tools.references.markdown import code, page, table

if TYPE_CHECKING:
    import pyarrow as pa

INTRODUCTION = (
    "A run folder contains these Parquet files, which any Parquet reader opens. `bench.load(RUN)` gives them as data frames; "
    "all other facts are in `run.json` ([keys](json.md)). A run on features other than FID's has the columns `fd` and `kd` "
    "instead of `fid` and `kid`. Columns are only added within a schema version."
)


def tables() -> str:
    """The page."""
    body = [f"Schema version {schema.SCHEMA_VERSION}.", ""]
    for name, columns in schema.schemas("FID").items():
        body += [f"## {name}.parquet", "", schema.ROWS[name], ""]
        rows = [
            (code(field.name), str(field.type), "yes" if field.nullable else "no", _meaning(field)) for field in columns
        ]
        body += table(("column", "type", "may be null", "meaning"), rows)
    return page("Tables", INTRODUCTION, body)


def _meaning(field: pa.Field) -> str:
    metadata: dict[bytes, bytes] = field.metadata or {}
    return metadata.get(b"description", b"").decode()
