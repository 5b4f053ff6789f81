"""The stored work of the runs in a folder: what it takes on the disk, what the runs need, and the removal of the rest.

schema     1
folder     the folder that was searched
removed    true if the unneeded work was removed, false if it was only listed
stores     one entry per store: path; runs that use it; kept: why nothing is removed from it, or null; kinds: per kind of
           work its keys and bytes, and of these needed_keys and needed_bytes, which a run of the folder needs;
           damaged_bytes: damaged parts that were set aside
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.document.model import Bullets, Document, Facts, Item, Paragraph, Section, Table
from bench.grid.spec import with_paths_from
from bench.listing.runs import run_folders
from bench.results.finished_run import FEATURES_FILE
from bench.results.identity import read_identity
from bench.run.lock import locked
from bench.run.needs import needs
from bench.store.kinds import RUN_KINDS
from bench.store.store import ASIDE, Store
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = 1


@dataclass
class KindUsage:
    """The work of one kind in a store."""

    keys: int = 0
    bytes: int = 0
    needed_keys: int = 0
    needed_bytes: int = 0


@dataclass
class StoreUsage:
    """One store.

    Attributes:
        path: The folder.
        runs: Paths of the runs that use it.
        kept: Why nothing may be removed from it, or None.
        kinds: Usage by kind of work.
        damaged_bytes: Bytes of damaged parts that were set aside.
    """

    path: str
    runs: list[str] = field(default_factory=list)
    kept: str | None = None
    kinds: dict[str, KindUsage] = field(default_factory=dict)
    damaged_bytes: int = 0

    @property
    def unneeded_bytes(self) -> int:
        """Bytes that no run of the folder needs."""
        return self.damaged_bytes + sum(kind.bytes - kind.needed_bytes for kind in self.kinds.values())


@dataclass
class _Users:
    """The runs that use a store, the keys they need, and why the others are not known, or None."""

    runs: list[Path] = field(default_factory=list)
    needed: set[tuple[str, str]] = field(default_factory=set)
    unknown: str | None = None


def list_stores(folder: Path) -> list[StoreUsage]:
    """The stores of the runs in a folder.

    Raises:
        InputError: There is no such folder.
    """
    return [_usage(folder, root, users) for root, users in _users(folder).items()]


def collect(folder: Path) -> list[StoreUsage]:
    """Remove the work that no run in a folder needs; returns what there was before.

    A store is left alone while a run uses it, if it is outside of the folder, where other runs may use it, and if the
    needs of one of its runs are not known.

    Raises:
        InputError: There is no such folder.
    """
    stores = []
    for root in _users(folder):
        try:
            with locked(root):
                users = _users(folder)[root]  # again, under the lock
                usage = _usage(folder, root, users)
                if usage.kept is None:
                    _remove(root, users.needed)
        except InputError as error:
            usage = _usage(folder, root, _users(folder)[root])
            usage.kept = usage.kept or str(error).partition("; ")[0]
        stores.append(usage)
    return stores


def _users(folder: Path) -> dict[Path, _Users]:
    """The stores that exist, with their users."""
    stores: dict[Path, _Users] = {}
    for run in run_folders(folder):
        if (run / FEATURES_FILE).is_file():  # a baseline
            continue
        try:
            identity = read_identity(run)
        except InputError:
            identity = None
        root = run / "store"
        if identity is not None:
            spec = with_paths_from(identity.parsed_spec, (run / identity.base).resolve())
            root = spec.execution.store or root
        if root.is_dir():
            users = stores.setdefault(root.resolve(), _Users())
            users.runs.append(run)
            if identity is None or identity.numerics is None:
                users.unknown = f"what {run} needs is not known: `maskbench verify` says why"
            else:
                users.needed |= {(need.kind, need.key) for need in needs(identity)}
    unknown = next((users.unknown for users in stores.values() if users.unknown), None)
    for users in stores.values():  # a run that cannot be read may use any of them
        users.unknown = users.unknown or unknown
    return stores


def _usage(folder: Path, root: Path, users: _Users) -> StoreUsage:
    usage = StoreUsage(str(root), [str(run) for run in users.runs], users.unknown)
    if not root.is_relative_to(folder.resolve()):
        usage.kept = f"outside of {folder}: other runs may use it; name a folder that holds all of them"
    for kind, key, path in _keys(root):
        entry = usage.kinds.setdefault(kind, KindUsage())
        size = sum(part.stat().st_size for part in path.glob("*.parquet"))
        entry.keys += 1
        entry.bytes += size
        if (kind, key) in users.needed:
            entry.needed_keys += 1
            entry.needed_bytes += size
        usage.damaged_bytes += sum(part.stat().st_size for part in (path / ASIDE).glob("*"))
    return usage


def _keys(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Kind, key and folder of everything that runs have stored."""
    for kind in RUN_KINDS:
        for path in sorted((root / kind).glob("*/*")):
            if path.is_dir():
                yield kind, path.name, path


def _remove(root: Path, needed: set[tuple[str, str]]) -> None:
    Store(root).sweep()
    for kind, key, path in list(_keys(root)):
        shutil.rmtree(path / ASIDE if (kind, key) in needed else path, ignore_errors=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()


def stores_content(folder: Path, stores: list[StoreUsage], removed: bool) -> dict[str, Any]:
    """The stores for programs."""
    return {"schema": SCHEMA, "folder": str(folder), "removed": removed, "stores": [asdict(store) for store in stores]}


def stores_document(folder: Path, stores: list[StoreUsage], verb: str | None = None) -> Document:
    """The stores for people; `verb` says what was done with what is not needed: removed, or would be removed."""
    title = f"{len(stores)} store{'s' * (len(stores) != 1)} of the runs in {folder}"
    return Document(title, tuple(_section(store, verb) for store in stores) or (Paragraph("No stored work."),))


def _section(store: StoreUsage, verb: str | None) -> Section:
    header = ("kind", "keys", "size", "needed keys", "needed size")
    rows = tuple(
        (kind, f"{entry.keys:,}", _size(entry.bytes), f"{entry.needed_keys:,}", _size(entry.needed_bytes))
        for kind, entry in store.kinds.items()
    )
    facts = [("runs", str(len(store.runs))), ("not needed", _size(store.unneeded_bytes))]
    if store.damaged_bytes:
        facts.append(("damaged, set aside", _size(store.damaged_bytes)))
    if verb:
        facts.append((verb, "nothing" if store.kept else _size(store.unneeded_bytes)))
    notes = (Bullets((Item(store.kept),)),) if store.kept else ()
    return Section(store.path, (Table(header, rows, right=(1, 2, 3, 4)), Facts(tuple(facts)), *notes))


def _size(number: int) -> str:
    return f"{number / 1e6:,.2f} MB"
