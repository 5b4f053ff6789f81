"""Locate checkpoints: names, folders, sizes and fingerprint, without loading the weights (no torch).

A checkpoint is a bundled name, a native folder (`model.json` + safetensors), a folder in the lab layout, the transformer's
file of such a folder or checkout, "lab-code:PATH" (a checkout whose own code is run), or "python:./file.py:factory". A
bundled name wins over a folder of the same name; write `./name` for the folder.

`python:./file.py:factory` calls `factory()` of a file, whose path is relative to the grid's folder. Instead of a file, it may
name a module, which is searched among the installed ones, then in that folder. The factory returns a
`maskgit.model.MaskedImageModel` on a device of its choice. Nothing is imported here, so sizes are unknown (None) until it is
loaded. Its fingerprint, a string that changes with the weights, is the module's `FINGERPRINT`, the factory's `fingerprint`
or the model's own, read at loading. Without one, it gets a fingerprint that no other run has, so that nothing is ever
reused. The loaded model's `fingerprint` is the one that counts.
"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace
from importlib import resources
from pathlib import Path

from maskgit.checkpoints.checkpoint import Checkpoint, behind_link, file_digest, fingerprint_of, require_same_tokens
from maskgit.checkpoints.declared import NOTHING_DECLARED, Declared
from maskgit.checkpoints.lab_code_files import PREFIX as LAB_CODE
from maskgit.checkpoints.lab_code_files import CodeFiles, find_code_files
from maskgit.checkpoints.lab_config import lab_tokenizer_config, lab_transformer_config
from maskgit.checkpoints.lab_files import lab_checkpoint
from maskgit.checkpoints.manifest import MANIFEST, read_manifest
from maskgit.checkpoints.nearby import WEIGHTS, files_around
from maskgit.checkpoints.python_part import find_part, is_python
from maskgit.checkpoints.user_code import refer
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import CheckpointError

_UNDECLARED = "undeclared-"


def locate(
    spec: str | None,
    base: Path,
    *,
    tokenizer: Path | None = None,
    transformer: Path | None = None,
    tokenizer_config: Path | None = None,
    transformer_config: Path | None = None,
    attention: str | None = None,
    declared: Declared | None = None,
) -> Checkpoint:
    """Find a checkpoint to decode with.

    Args:
        spec: what the user wrote; None when the files of the lab layout are given instead.
        base: folder that relative paths start from.
        tokenizer, transformer, tokenizer_config, transformer_config: lab files, in place of the folder's own.
        attention: "path/to/layers.py:Class", the user's own attention for a checkpoint in the lab layout.
        declared: the user's declarations on how to read a lab checkpoint.

    Raises:
        CheckpointError: the checkpoint is missing, incomplete or damaged, or its sizes do not fit; one line.
    """
    given = {
        "tokenizer": tokenizer,
        "transformer": transformer,
        "tokenizer_config": tokenizer_config,
        "transformer_config": transformer_config,
    }
    declared = declared or NOTHING_DECLARED
    explicit = {role: base / path.expanduser() for role, path in given.items() if path is not None}
    for role, path in explicit.items():
        if not path.is_file():
            raise CheckpointError(f"model.{role}: no file {path}; put it there, or name another")
    own = refer(attention, base, "model.attention") if attention is not None else None
    keys = [*explicit, *(["attention"] if own else []), *declared.said]
    if spec is None:
        return lab_checkpoint(None, explicit, own, declared)
    if is_python(spec):
        _refuse(keys, spec)
        return _python(spec, base)
    if spec.startswith(LAB_CODE):
        _refuse([key for key in keys if key not in given], spec)
        return _lab_code(find_code_files(spec, base, explicit), declared)
    if (file := base / Path(spec).expanduser()).suffix in WEIGHTS and file.is_file():
        files = files_around(file.parent, {"transformer": file, **explicit})
        return lab_checkpoint(file.parent, files, own, declared, name=file.stem)
    folder = _folder(spec, base)
    if (folder / MANIFEST).exists():
        _refuse(keys, spec)
        native = _native(folder)
        if native.transformer is None:
            raise CheckpointError(
                f"{folder / MANIFEST}: holds a tokenizer alone, the transformer is missing; "
                "train one on it (maskbench train transformer) and name its folder"
            )
        return native
    return lab_checkpoint(folder, explicit, own, declared)


def locate_tokenizer(spec: str, base: Path) -> Checkpoint:
    """Locate the tokenizer of a bundled name or native folder, with or without a transformer; `.tokenizer` is set."""
    folder = _folder(spec, base)
    if not (folder / MANIFEST).exists():
        raise CheckpointError(f"{folder}: no {MANIFEST} in it; name a folder that training or `maskbench import` wrote")
    return _native(folder)


def with_normalisation(
    checkpoint: Checkpoint, mean: tuple[float, float, float] | None, std: tuple[float, float, float] | None
) -> Checkpoint:
    """The checkpoint with other channel statistics (RGB in [0, 1]; None keeps its own) and a matching fingerprint."""
    if checkpoint.tokenizer is None:
        raise CheckpointError(
            f"{checkpoint.name}: mean and std cannot be set for a Python model; set them in its factory"
        )
    cfg = replace(checkpoint.tokenizer, mean=mean or checkpoint.tokenizer.mean, std=std or checkpoint.tokenizer.std)
    return replace(
        checkpoint, tokenizer=cfg, fingerprint=fingerprint_of(cfg, checkpoint.transformer, checkpoint.sha256)
    )


def bundled() -> tuple[str, ...]:
    """Names of the models in the package that can be used for decoding."""
    manifests = _pretrained().glob(f"*/{MANIFEST}")
    return tuple(sorted(path.parent.name for path in manifests if read_manifest(path)["transformer"] is not None))


def _pretrained() -> Path:
    return Path(str(resources.files("maskgit.pretrained")))


def _folder(spec: str, base: Path) -> Path:
    """The folder of a bundled name or a path."""
    if not spec.strip():
        raise CheckpointError(
            f"checkpoint = {spec!r}: empty; name a bundled model ({', '.join(bundled())}) or a folder"
        )
    if Path(spec).name == spec and (_pretrained() / spec / MANIFEST).is_file():
        return _pretrained() / spec
    folder = base / Path(spec).expanduser()
    if not folder.is_dir():
        raise CheckpointError(
            f"checkpoint = {spec!r}: no bundled model ({', '.join(bundled())}) and no folder {folder}; "
            "name one of these, a checkpoint folder, a lab folder or python:./file.py:factory"
        )
    return folder


def _refuse(keys: list[str], spec: str) -> None:
    if keys:
        raise CheckpointError(f"checkpoint = {spec!r}: not in the lab layout, so leave out {', '.join(sorted(keys))}")


def _native(folder: Path) -> Checkpoint:
    """Read `model.json` and check its files' sha256."""
    manifest = folder / MANIFEST
    data = read_manifest(manifest)
    tokenizer = TokenizerConfig.from_dict(data["tokenizer"], file=manifest, section="tokenizer")
    transformer = None
    if data["transformer"] is not None:
        transformer = TransformerConfig.from_dict(data["transformer"], file=manifest, section="transformer")
        require_same_tokens(tokenizer, transformer, manifest)
    files, sha256 = {}, {}
    for role in ("tokenizer", "transformer") if transformer else ("tokenizer",):
        entry = data["files"].get(role)
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("path", "sha256")):
            raise CheckpointError(f"{manifest}: files.{role} must give path and sha256; write the checkpoint again")
        files[role] = folder / entry["path"]
        sha256[role] = file_digest(files[role])
        if sha256[role] != entry["sha256"]:
            raise CheckpointError(
                f"{files[role]}: sha256 {sha256[role][:12]}… is not the {entry['sha256'][:12]}… of {manifest}; "
                "the file is damaged or a different one: copy the checkpoint again"
            )
    fingerprint = fingerprint_of(tokenizer, transformer, sha256)
    return Checkpoint(data["name"], "native", folder, files, tokenizer, transformer, fingerprint, sha256, data["extra"])


def _lab_code(checkout: CodeFiles, declared: Declared) -> Checkpoint:
    """A checkout of the lab's code; its sizes are those of its configs if these follow the lab's format."""
    files = {role: behind_link(path) for role, path in checkout.files.items()}
    sha256 = {role: file_digest(file) for role, file in files.items()} | {"code": checkout.code.digest}
    tokenizer = transformer = None
    with contextlib.suppress(CheckpointError):  # its own code may understand other configs
        tokenizer = lab_tokenizer_config(files["tokenizer_config"])
        transformer = lab_transformer_config(files["transformer_config"])
    fingerprint = fingerprint_of(tokenizer, transformer, sha256)
    return Checkpoint(
        checkout.root.name,
        "lab-code",
        checkout.root,
        files,
        tokenizer,
        transformer,
        fingerprint,
        sha256,
        code=checkout.code,
        declared=declared,
    )


def _python(spec: str, base: Path) -> Checkpoint:
    """A factory in a file or module; it runs only when the checkpoint is loaded."""
    part = find_part(spec, base, "checkpoint")
    return Checkpoint(str(part), "python", None, {}, None, None, f"{_UNDECLARED}{uuid.uuid4().hex}", part=part)


def is_undeclared(fingerprint: str) -> bool:
    """True if a fingerprint is that of a Python model which declares none: no other run has it."""
    return fingerprint.startswith(_UNDECLARED)
