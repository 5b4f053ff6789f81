"""NumPy files as samples: images (as ADM and others save them), features, and pytorch-fid's statistics."""

from __future__ import annotations

import math
import zipfile
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy

from bench.fid.kinds import Features, Images, Statistics
from bench.metrics.frechet import prepare_moments
from maskgit.data.dedup import digests
from maskgit.data.problems import some_of
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_STATISTICS = ("mu", "sigma")
_SUFFIX = ".npy"  # of every array in an .npz
_EXPECTED = "expected images, uint8 (N, H, W, 3), or in an .npz mu and sigma as pytorch-fid --save-stats writes them"

Header = tuple[tuple[int, ...], np.dtype[np.generic]]


def read_npz(path: Path, name: str) -> Images | Statistics:
    """Read an .npz: `mu` and `sigma`, or its array of images (the one called `arr_0`, or the only one).

    A note names the arrays that are not used.

    Raises:
        InputError: The file is damaged, or contains neither.
    """
    try:
        headers = _headers(path)
        keys = _chosen(headers, name)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in keys}
    except InputError:
        raise
    except Exception as error:  # zip, zlib and NumPy raise many types on damaged bytes
        raise _damaged(name, error) from None
    extras = sorted(set(headers) - set(keys))
    notes = (f"{name}: other arrays in it are not used: {some_of(extras)}",) if extras else ()
    if keys == list(_STATISTICS):
        moments = prepare_moments(arrays["mu"], arrays["sigma"], name)
        return Statistics(moments.mean, moments.factor, moments.total_variance, name, notes)
    return _as_images(arrays[keys[0]], name, notes)


def read_npy(path: Path, name: str) -> Images | Features:
    """Read an .npy of images, uint8 (N, H, W, 3), or of features, (N, D) real numbers.

    Raises:
        InputError: The file is damaged, or contains something else.
    """
    try:
        with path.open("rb") as file:
            _header(file, path.stat().st_size)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # as above
        raise _damaged(name, error) from None
    if array.ndim == 2 and array.dtype.kind == "f":
        return Features(name, None, np.asarray(array))
    return _as_images(array, name, ())


def _headers(path: Path) -> dict[str, Header]:
    """Shape and type of every array; before any array is read, the file is checked to have the size that they imply."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(_SUFFIX):
                with archive.open(info) as file:
                    headers[info.filename.removesuffix(_SUFFIX)] = _header(file, info.file_size)
    return headers


def _header(file: IO[bytes], size: int) -> Header:
    """Shape and type of an array, from an open .npy of `size` bytes.

    Raises:
        ValueError: The file is not an .npy, or its array has a different size.
    """
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
    shape, _, dtype = read(file)
    if not dtype.hasobject and file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"an array of shape {shape} does not fit into it")
    return shape, dtype


def _chosen(headers: Mapping[str, Header], name: str) -> list[str]:
    """Names of the arrays to use."""
    if set(_STATISTICS) <= set(headers):
        return list(_STATISTICS)
    images = [key for key, (shape, dtype) in headers.items() if len(shape) == 4 and dtype == np.uint8]
    for candidates in (["arr_0"] if "arr_0" in images else [], images):
        if len(candidates) == 1:
            return candidates
    listed = some_of([f"{key} {dtype} {shape}" for key, (shape, dtype) in headers.items()]) or "no arrays"
    raise InputError(f"{name}: {listed}; {_EXPECTED}")


def _as_images(array: NDArray[np.generic], name: str, notes: tuple[str, ...]) -> Images:
    if array.ndim != 4 or array.dtype != np.uint8 or 3 not in (array.shape[1], array.shape[3]):
        raise InputError(f"{name}: {array.dtype} {array.shape}; {_EXPECTED}")
    if array.shape[3] == 3:
        array = array.transpose(0, 3, 1, 2)
    else:
        notes = (*notes, f"{name}: taken as (N, channels, H, W)")
    images: NDArray[np.uint8] = array.view(np.uint8)
    return Images(
        name,
        None,
        tuple(digests(np.ascontiguousarray(image) for image in images)),
        lambda start, stop: [np.ascontiguousarray(image) for image in images[start:stop]],
        notes,
    )


def _damaged(name: str, error: Exception) -> InputError:
    reason = one_line(str(error).partition("\n")[0])[:100] or type(error).__name__
    return InputError(f"{name}: not a NumPy file that can be read ({reason}); {_EXPECTED}")
