"""A located checkpoint: its files, sizes and fingerprint, without its weights (no torch)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from maskgit.checkpoints.declared import NOTHING_DECLARED, Declared
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.checkpoints.python_part import PythonPart
    from maskgit.checkpoints.user_code import CodeReference
    from maskgit.config import TokenizerConfig, TransformerConfig

_LONGEST_LINK = 1024


@dataclass(frozen=True)
class Checkpoint:
    """A located checkpoint whose files are hashed.

    `files` and `sha256` are keyed by role: "tokenizer", "transformer", and in the lab layout "tokenizer_config" and
    "transformer_config" (files only). `tokenizer` and `transformer` are None for kind "python" (known only once
    loaded); `transformer` alone is None for a tokenizer without one. `fingerprint` is a sha256 over the weights' files
    and all sizes and statistics: equal for equal files in any place. `code` is the user's own: the
    attention class of a lab checkpoint (its sources are hashed as role "attention"), or the model class of
    a checkout (role "code"); `part` is the factory of kind "python".
    `declared` holds the user's declarations on how to read a lab checkpoint; a reading other than the four that the lab
    layout documents enters the fingerprint once the model is loaded.
    """

    name: str
    kind: Literal["native", "lab", "lab-code", "python"]
    folder: Path | None
    files: dict[str, Path]
    tokenizer: TokenizerConfig | None
    transformer: TransformerConfig | None
    fingerprint: str
    sha256: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    code: CodeReference | None = None
    part: PythonPart | None = None
    declared: Declared = NOTHING_DECLARED


def file_digest(path: Path) -> str:
    """sha256 of a file's content."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the file there") from error
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: is empty (zero bytes); copy it again")
    return digest


def fingerprint_of(
    tokenizer: TokenizerConfig | None, transformer: TransformerConfig | None, sha256: dict[str, str]
) -> str:
    """Fingerprint: sha256 over sizes, statistics and the digests of the files."""
    sizes = {
        "tokenizer": asdict(tokenizer) if tokenizer else None,
        "transformer": transformer.as_dict() if transformer else None,
    }
    return hashlib.sha256(json.dumps({**sizes, "files": sha256}, sort_keys=True).encode()).hexdigest()


def require_same_tokens(tokenizer: TokenizerConfig, transformer: TransformerConfig, where: Path) -> None:
    """Refuse a transformer and a tokenizer with different tokens."""
    if tokenizer.num_tokens != transformer.num_image_tokens:
        raise CheckpointError(
            f"{where}: num_image_tokens = {transformer.num_image_tokens}, but the tokenizer makes "
            f"{tokenizer.num_tokens} tokens per image; pair the transformer with the tokenizer it was trained on"
        )
    if tokenizer.num_codebook_vectors != transformer.num_codebook_vectors:
        raise CheckpointError(
            f"{where}: num_codebook_vectors = {transformer.num_codebook_vectors}, but the tokenizer has "
            f"{tokenizer.num_codebook_vectors}; pair the transformer with the tokenizer it was trained on"
        )


def behind_link(path: Path) -> Path:
    """Follow a link: where symbolic links are unavailable, Git writes a small text file that names the target."""
    try:
        if path.stat().st_size > _LONGEST_LINK:
            return path
        target = path.parent / path.read_text(encoding="utf-8")
        return target if target.suffix == path.suffix and target.is_file() else path
    except (OSError, ValueError):
        return path
