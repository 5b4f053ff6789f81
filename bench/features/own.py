"""Extractors of the user's own: a function in a file, named as "python:./my_features.py:colours".

The function takes a torch device and returns a network: images (B, 3, H, W) uint8 on that device to features (B, DIM)
float32. The file says `DIM = 48`, and may say `WEIGHTS = "my_weights.pt"`, a file relative to it. Both are read without
running the file. What is stored depends on the hash of the file, of all that it imports from its project, and of the weights.
"""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING, Any

from bench.features.sources import Source, hash_file
from bench.metrics.naming import label_of
from maskgit.checkpoints.python_part import find_part, load_part
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch
    from torch import Tensor

KEY = "metrics.features"
VERSION = "own-1"


def find_extractor(name: str, base: Path) -> Source:
    """The extractor with that name, hashed; nothing of it is run.

    Args:
        name: "python:./file.py:function".
        base: Folder that a relative path starts from.

    Raises:
        InputError: There is no such file, or it does not say the number of its features, or its weights are missing.
    """
    part = find_part(name, base, KEY)
    if part.code is None:
        raise InputError(
            f"{KEY} = {name!r}: an installed module cannot be hashed; name a file: python:./file.py:function"
        )
    file = part.code.file
    constants = _constants(file)
    dim, weights = constants.get("DIM"), constants.get("WEIGHTS")
    if type(dim) is not int or dim < 1:
        raise InputError(f"{file}: does not say how many features there are per image; add a line such as DIM = 64")
    digest = part.code.digest
    if weights is not None:
        digest = hashlib.sha256(f"{digest} {hash_file(file.parent / str(weights))}".encode()).hexdigest()
    return Source(name, label_of(False), dim, file, digest, False, VERSION, part=part)


def network(source: Source, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The user's network, checked at every call: images (B, 3, H, W) uint8 to features (B, D) float32.

    Raises:
        InputError: The user's code raises an exception.
    """
    import torch

    assert source.part is not None
    loaded = load_part(source.part, "one that returns a network")
    made: Any = loaded.call(lambda: loaded.value(device), what="the extractor cannot be made")

    @torch.inference_mode()
    def features(images: Tensor) -> Tensor:
        values = loaded.call(lambda: made(images), what="the extractor failed")
        expected = (len(images), source.dim)
        if not isinstance(values, torch.Tensor) or tuple(values.shape) != expected:
            shape = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            raise InputError(f"{source.name}: the network returns {shape}, expected a tensor {expected} (images, DIM)")
        return values.float()

    return features


def _constants(file: Path) -> dict[str, object]:
    """The literals that are assigned to names at the top level of a file."""
    found: dict[str, object] = {}
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found
