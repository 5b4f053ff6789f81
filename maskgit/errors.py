"""Errors that a user can cause and fix."""

from __future__ import annotations


class MaskgitError(Exception):
    """Base class of all errors that this library raises on purpose."""


class InputError(MaskgitError):
    """Bad input: one line that names the file or key, what is wrong with it, and the remedy."""


class CheckpointError(InputError):
    """A checkpoint that cannot be loaded: missing, or with tensors that are missing, extra, misshaped or not finite."""


class OutOfMemory(InputError):
    """Work that does not fit into memory."""


def is_out_of_memory(error: Exception) -> bool:
    """True if an error means out of memory; judged by name and text, so that torch need not be imported."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def one_line(text: str) -> str:
    """Escape line feeds and control characters, which file names may contain."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
