"""FailurePolicy: whether a checkpoint that cannot be decoded stops the run or, with `--keep-going`, is skipped (no torch)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maskgit.errors import InputError, MaskgitError, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class FailurePolicy:
    """Watches over the work on single checkpoints.

    Attributes:
        keep_going: Whether a failure skips its checkpoint; otherwise it is raised.
        failures: What went wrong, by checkpoint.
        on_skip: Told the checkpoint and the reason when one is skipped.
    """

    keep_going: bool = False
    failures: dict[str, MaskgitError] = field(default_factory=dict)
    on_skip: Callable[[str, str], None] = lambda checkpoint, reason: None

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[None]:
        """Work on one checkpoint in a `with` block: bad input and a lack of memory are failures, all else is a bug.

        Raises:
            MaskgitError: The failure, unless the run is to keep going.
        """
        try:
            with named_if_out_of_memory(name):
                yield
        except MaskgitError as failure:
            if not self.keep_going:
                raise
            self.failures[name] = failure
            self.on_skip(name, str(failure))

    def require_any(self, left: object) -> None:
        """Stop when nothing is left to go on with.

        Raises:
            MaskgitError: The first failure, if `left` is empty.
        """
        if not left and self.failures:
            raise next(iter(self.failures.values()))


@contextmanager
def named_if_out_of_memory(where: str) -> Iterator[None]:
    """Turn a lack of memory in a `with` block into one line that says where it was, and what to do.

    Raises:
        InputError: Memory was lacking.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        remedy = "lower execution.tile or execution.batch_size, or free memory"
        raise InputError(f"{where}: out of memory; {remedy}") from None
