"""Locate a checkpoint in the lab layout: its files in a folder, or named one by one (no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskgit.checkpoints.checkpoint import Checkpoint, behind_link, file_digest, fingerprint_of, require_same_tokens
from maskgit.checkpoints.lab_config import lab_tokenizer_config, lab_transformer_config
from maskgit.checkpoints.manifest import MANIFEST
from maskgit.checkpoints.nearby import WEIGHTS
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.checkpoints.declared import Declared
    from maskgit.checkpoints.user_code import CodeReference

LAB_TRANSFORMERS = ("transformer", "best_ckpt")


def lab_checkpoint(
    folder: Path | None,
    explicit: dict[str, Path],
    code: CodeReference | None,
    declared: Declared,
    name: str | None = None,
) -> Checkpoint:
    """Find the files of the lab layout and read their sizes; the lab's test-set statistics are used for normalisation."""
    files = dict(explicit)
    if folder is None:
        if missing := [role for role in ("transformer", "tokenizer_config", "transformer_config") if role not in files]:
            raise CheckpointError(
                f"checkpoint: {', '.join(missing)} not given; give the file, or a folder that holds it"
            )
    else:
        files.setdefault("transformer_config", folder / "MaskGit.yml")
        files.setdefault("tokenizer_config", folder / "VQGAN.yml")
        if not (files["transformer_config"].is_file() and files["tokenizer_config"].is_file()):
            raise CheckpointError(
                f"{folder}: neither {MANIFEST} (native) nor both MaskGit.yml and VQGAN.yml (lab) in it; "
                "name a folder that holds them"
            )
        if "transformer" not in files:
            files["transformer"] = _lab_transformer(folder)
        # Without its own file, the tokenizer is expected inside the transformer's (whole-model) file.
        if "tokenizer" not in files and (tokenizer_file := _weights_called("VQGAN", folder)):
            files["tokenizer"] = tokenizer_file
    name = name or (folder.resolve().name if folder else files["transformer"].stem)
    files = {role: behind_link(path) for role, path in files.items()}
    sha256: dict[str, str] = {r: file_digest(files[r]) for r in ("tokenizer", "transformer") if r in files}
    if code is not None:
        sha256["attention"] = code.digest
    tokenizer = lab_tokenizer_config(files["tokenizer_config"])
    transformer = lab_transformer_config(files["transformer_config"])
    require_same_tokens(tokenizer, transformer, files["transformer_config"])
    fingerprint = fingerprint_of(tokenizer, transformer, sha256)
    return Checkpoint(
        name, "lab", folder, files, tokenizer, transformer, fingerprint, sha256, code=code, declared=declared
    )


def _weights_called(stem: str, folder: Path) -> Path | None:
    """The folder's weight file of that name, with the first suffix of `WEIGHTS` for which there is one."""
    return next((path for suffix in WEIGHTS if (path := folder / f"{stem}{suffix}").exists()), None)


def _lab_transformer(folder: Path) -> Path:
    """Find the transformer's file: a usual name, else the only other weight file."""
    for stem in LAB_TRANSFORMERS:
        if (path := _weights_called(stem, folder)) is not None:
            return path
    others = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS and path.stem != "VQGAN")
    if len(others) == 1:
        return others[0]
    candidates = f"several: {', '.join(path.name for path in others)}" if others else "none"
    raise CheckpointError(
        f"{folder}: transformer's file ({', '.join(WEIGHTS)}): {candidates}; "
        "call it transformer.pt, or give it as `transformer`"
    )
