"""Read weight files without running code in them: PyTorch files of any version, and safetensors."""

from __future__ import annotations

import argparse
import collections
import io
import pathlib
import re
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load as parse_safetensors

from maskgit.checkpoints.tensors import read_verified
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

RESAVE = "save the weights alone with torch.save(model.state_dict(), …)"
_MODULES = ("torch.nn.", "torch._dynamo.")  # a pickled module refers to classes in these packages
_LFS_POINTER = b"version https://git-lfs"


def read_content(path: Path, sha256: str) -> object:
    """Read a weight file, with tensors on the CPU; code in it never runs.

    Raises:
        CheckpointError: the file is missing, damaged, or holds more than plain data (the error names what).
    """
    data = read_verified(path, sha256)
    if path.suffix == ".safetensors":
        try:
            return dict(parse_safetensors(data))
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"{path}: is not a safetensors file; copy the checkpoint again") from error
    if data.startswith(_LFS_POINTER):
        raise CheckpointError(f"{path}: is a Git LFS pointer, not the weights; fetch them with git lfs pull")
    _check_zip(data, path)
    try:
        with torch.serialization.safe_globals(_plain_data()), _quietly():
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file may raise anything
        raise CheckpointError(f"{path}: {_reason(data, path, error)}") from error


def _check_zip(data: bytes, path: Path) -> None:
    """Refuse an archive with a wrong checksum, which torch.load does not verify."""
    if not data.startswith(b"PK"):
        return  # written before PyTorch 1.6, or not an archive
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()
    except Exception as error:  # a damaged archive may raise anything
        raise CheckpointError(f"{path}: is damaged: its archive cannot be read; copy the file again") from error
    if damaged is not None:
        raise CheckpointError(f"{path}: is damaged: {damaged} does not match its checksum; copy the file again")


def _reason(data: bytes, path: Path, error: Exception) -> str:
    """Explain why a file could not be loaded and what to do."""
    foreign = _foreign_names(data, error)
    if any(name.startswith(_MODULES) for name in foreign):
        return (
            f"holds a pickled module ({_listing(foreign)}), and loading it would run its code; where its code is, save "
            f"the weights alone: torch.save(torch.load({path.name!r}, weights_only=False).state_dict(), 'weights.pt')"
        )
    if foreign:
        return f"holds {_listing(foreign)} besides tensors, and loading that could run code; {RESAVE}"
    return f"is not a file of tensors (damaged, or a pickle of something else); {RESAVE}"


def _foreign_names(data: bytes, error: Exception) -> list[str]:
    """Names of the classes and functions that loading a file would need beyond plain data; empty if it needs none."""
    try:
        with torch.serialization.safe_globals(_plain_data()), _quietly():
            names = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
    except Exception:  # torch lists the names of archives only; for other files, its error has the first
        names = re.findall(r"Unsupported (?:global|class): GLOBAL ([\w.]+)", str(error))
        names += re.findall(r"Unsupported class (\S+?)[.,]?\s", str(error))
    return sorted(set(names))


def _listing(names: list[str], count: int = 4) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def _plain_data() -> list[Any]:
    """Classes and functions that trainers save along with the weights and that only hold data.

    They are allowed under every name that they have had in NumPy and Python. Paths of any system become pure paths, and a
    defaultdict becomes a dict.
    """
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    reconstruct = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    allowed: list[Any] = [
        argparse.Namespace,
        collections.OrderedDict,
        (_as_dict, "collections.defaultdict"),
        *(bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset),
        np.dtype,
        np.ndarray,
        *(kind for kind in vars(np.dtypes).values() if isinstance(kind, type)),
    ]
    for home in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(scalar, f"{home}.scalar"), (reconstruct, f"{home}._reconstruct")]
    for home in ("pathlib", "pathlib._local"):  # Python 3.13 has the second
        for flavour in (pathlib.PurePosixPath, pathlib.PureWindowsPath):
            concrete = flavour.__name__.removeprefix("Pure")
            allowed += [(flavour, f"{home}.{flavour.__name__}"), (flavour, f"{home}.{concrete}")]
        allowed += [(pathlib.PurePath, f"{home}.Path"), (pathlib.PurePath, f"{home}.PurePath")]
    return allowed


def _as_dict(*factory: object) -> dict[Any, Any]:
    return {}


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress torch's warnings about old files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
