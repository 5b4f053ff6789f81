"""Errors a user can cause and can mend."""

from __future__ import annotations


class MaskgitError(Exception):
    """Base of every error this library raises on purpose."""


class InputError(MaskgitError):
    """Bad input: one line that names the file or key, what is wrong with it, and the remedy."""


class CheckpointError(InputError):
    """A checkpoint that cannot be placed: tensors missing, extra, misshaped or not finite, or no checkpoint at all."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory was lacking; by name and text, since torch has errors that only torch can name."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def one_line(text: str) -> str:
    """Escape what would break a line or a terminal: file names may hold line feeds and control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
