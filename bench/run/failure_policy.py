"""FailurePolicy: whether a checkpoint that cannot be decoded stops the run or, with `--keep-going`, is skipped (no torch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from maskgit.errors import InputError, MaskgitError


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
            yield
        except (MaskgitError, MemoryError, RuntimeError) as error:
            failure = error if isinstance(error, MaskgitError) else _out_of_memory(name, error)
            if failure is None:
                raise
            if not self.keep_going:
                raise failure from None
            self.failures[name] = failure
            self.on_skip(name, str(failure))

    def require_any(self, left: object) -> None:
        """Stop when nothing is left to go on with.

        Raises:
            MaskgitError: The first failure, if `left` is empty.
        """
        if not left and self.failures:
            raise next(iter(self.failures.values()))


def _out_of_memory(checkpoint: str, error: Exception) -> InputError | None:
    """Say it in one line, if it is that. By name, since torch has errors of its own that only torch can name."""
    lack = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if not lack and "can't allocate memory" not in str(error):
        return None
    return InputError(f"{checkpoint}: out of memory; lower execution.tile or execution.batch_size, or free memory")
