"""Optional packages, which only some commands need, and the commands that install them."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from maskgit.errors import InputError

EXTRAS = {
    "tensorboard": "train",
    "imagehash": "audit",
    "cv2": "classical",
    "ray": "ray",
    "wandb": "wandb",
    "mlflow": "mlflow",
}
"""Extra of maskbench that installs each optional module."""


def installed(module: str) -> bool:
    """True if an optional module can be imported; does not import it."""
    with suppress(ImportError):
        return find_spec(module) is not None
    return False


def install_line(module: str) -> str:
    """The command that installs an optional module."""
    return f"pip install 'maskbench[{EXTRAS[module]}]'"


def optional(module: str, purpose: str) -> Any:
    """Import an optional module.

    Args:
        module: A key of `EXTRAS`.
        purpose: The feature that needs it, as the subject of a sentence.

    Raises:
        InputError: It is not installed; the message says how to install it.
    """
    if not installed(module):
        raise InputError(f"{purpose} needs the package {module}, which is not installed; {install_line(module)}")
    return import_module(module)
