"""The folder that a run writes to: whose it is, its lock, and its store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.files import prepare_folder
from bench.results.identity import RunIdentity, read_identity, relation, require_continuation, write_identity
from bench.results.record import read_record
from bench.run.lock import locked
from bench.store.store import Store
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results.record import RunRecord
    from bench.run.blocks import Block

Claim = tuple[Store, RunIdentity, "list[Block]"]
"""Store, identity and blocks of a run that holds its folder."""
Identified = Callable[[RunIdentity | None], tuple[RunIdentity, "list[Block]"]]
"""Identity and blocks of a run in a folder that holds an earlier run, or none."""


@dataclass(frozen=True)
class OutputFolder:
    """The folder of a run that is about to start.

    Attributes:
        path: The run folder.
        shared_store: Folder of stored work outside of it; None: `store` in it.
        replace: Replace another run in the folder instead of refusing.
    """

    path: Path
    shared_store: Path | None = None
    replace: bool = False
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", Store(self.shared_store or self.path / "store"))

    def require_continuation(self, identified: Identified) -> None:
        """Check that the run in the folder, if there is one, may be continued; nothing is written.

        Raises:
            InputError: The folder holds another run.
        """
        self._identity(identified)

    @contextmanager
    def claimed(self, identified: Identified, wait: bool, on_wait: Callable[[str], None]) -> Iterator[Claim]:
        """Prepare folder and store, and hold their locks for the length of a `with` block.

        Raises:
            InputError: A folder cannot be written to, or the run folder holds another run or is in use.
        """
        self._prepare()
        with locked(self.path, wait=wait, on_wait=on_wait):
            identity, blocks = self._identity(identified)  # again, since another process may have been here
            prepare_folder(self.store.root)
            with locked(self.store.root, shared=True, wait=wait, on_wait=on_wait):
                yield self.store, identity, blocks

    @contextmanager
    def joined(self, identified: Identified, on_wait: Callable[[str], None]) -> Iterator[Claim]:
        """Prepare folder and store for one of several processes that do the blocks of a run together.

        Other processes can join as well; the folder is claimed by the one that writes the tables.

        Raises:
            InputError: A folder cannot be written to, or the run folder holds another run.
        """
        self._prepare()
        with locked(self.path, wait=True, on_wait=on_wait):
            identity, blocks = self._identity(identified)
            write_identity(self.path, identity)
            prepare_folder(self.store.root)
        with locked(self.store.root, shared=True, wait=True, on_wait=on_wait):
            yield self.store, identity, blocks

    def begin(self, identity: RunIdentity) -> None:
        """Record the identity of the run in the claimed folder, where an earlier result is no longer valid from here on."""
        (self.path / "run.json").unlink(missing_ok=True)
        write_identity(self.path, identity)
        self.store.sweep()

    def claims(self, identity: RunIdentity) -> Path:
        """The folder in which processes that share the blocks of the run claim them."""
        return self.path / f"claims-{identity.hash[:16]}"

    def result(self, identity: RunIdentity) -> RunRecord | None:
        """The record of the run in the folder, if it has ended and has this identity."""
        try:
            record = read_record(self.path / "run.json")
        except (FileNotFoundError, InputError):
            return None
        return record if record.identity == identity.hash else None

    def _prepare(self) -> None:
        if self.shared_store is not None:
            prepare_folder(self.shared_store, remedy="change execution.store")
        prepare_folder(self.path)

    def _identity(self, identified: Identified) -> tuple[RunIdentity, list[Block]]:
        try:
            earlier = read_identity(self.path)
        except InputError:
            if not self.replace:
                raise
            earlier = None
        identity, blocks = identified(earlier)
        if not self.replace:
            require_continuation(self.path, relation(earlier, identity))
        return identity, blocks
