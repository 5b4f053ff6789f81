"""The failure policy: a checkpoint that fails stops the run or, with `--keep-going`, is skipped (no torch)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.run.tile_memory import SmallerTile
from maskgit.errors import MaskgitError, OutOfMemory, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class FailurePolicy:
    """Decides what happens when the work on a checkpoint fails.

    Attributes:
        keep_going: True if a failure skips its checkpoint; otherwise it is raised.
        failures: Errors by checkpoint.
        on_skip: Called with the name of a skipped checkpoint and the reason.
        smaller_tile: A smaller tile with which a checkpoint fits into memory; None if there is none, or none may be used.
    """

    keep_going: bool = False
    failures: dict[str, MaskgitError] = field(default_factory=dict)
    on_skip: Callable[[str, str], None] = lambda checkpoint, reason: None
    smaller_tile: Callable[[str], int | None] = lambda checkpoint: None

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[None]:
        """Context of the work on one checkpoint: bad input and lack of memory are failures; any other error is a bug.

        Raises:
            SmallerTile: Memory ran out, and a smaller tile fits.
            MaskgitError: The failure, unless `keep_going` is set.
        """
        try:
            with named_if_out_of_memory(name):
                yield
        except MaskgitError as failure:
            if isinstance(failure, OutOfMemory) and (tile := self.smaller_tile(name)):
                raise SmallerTile(tile) from None
            if not self.keep_going:
                raise
            self.failures[name] = failure
            self.on_skip(name, str(failure))

    def require_any(self, remaining: object) -> None:
        """Stop if no checkpoint remains.

        Raises:
            MaskgitError: The first failure, if `remaining` is empty.
        """
        if not remaining and self.failures:
            raise next(iter(self.failures.values()))


@contextmanager
def named_if_out_of_memory(where: str) -> Iterator[None]:
    """Context that turns a lack of memory into one line that says where it occurred and what to do.

    Raises:
        OutOfMemory: The memory was exhausted.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        remedy = "lower execution.tile or execution.batch_size, or free memory"
        raise OutOfMemory(f"{where}: out of memory; {remedy}") from None
