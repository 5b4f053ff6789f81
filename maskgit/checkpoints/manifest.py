"""`model.json`, the manifest of a native checkpoint folder (no torch)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
MANIFEST = "model.json"
KEYS = ("format", "name", "tokenizer", "transformer", "files", "extra")


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a `model.json` and check its outline; the config classes check the sizes.

    Raises:
        CheckpointError: not such a file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: is not JSON; copy the checkpoint again") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: format must be {FORMAT}, the one this version reads; update maskbench or write it again"
        )
    if set(data) != set(KEYS):
        wrong = ", ".join(sorted(set(data) ^ set(KEYS)))
        raise CheckpointError(f"{path}: missing or unknown key {wrong}; the keys are {', '.join(KEYS)}")
    for key, kind in (("name", str), ("files", dict), ("extra", dict)):
        if not isinstance(data[key], kind):
            raise CheckpointError(
                f"{path}: {key} must be a {'text' if kind is str else 'table'}; write the checkpoint again"
            )
    return data
