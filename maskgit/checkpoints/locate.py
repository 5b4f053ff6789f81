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
import hashlib
import json
import uuid
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from maskgit.checkpoints.declared import NOTHING_DECLARED, Declared
from maskgit.checkpoints.lab_code_files import PREFIX as LAB_CODE
from maskgit.checkpoints.lab_code_files import CodeFiles, find_code_files
from maskgit.checkpoints.lab_config import lab_tokenizer_config, lab_transformer_config
from maskgit.checkpoints.manifest import MANIFEST, read_manifest
from maskgit.checkpoints.nearby import WEIGHTS, files_around
from maskgit.checkpoints.python_part import PythonPart, find_part, is_python
from maskgit.checkpoints.user_code import CodeReference, refer
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import CheckpointError

_UNDECLARED = "undeclared-"
LAB_TRANSFORMERS = ("transformer", "best_ckpt")
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
        return _lab(None, explicit, own, declared)
    if is_python(spec):
        _refuse(keys, spec)
        return _python(spec, base)
    if spec.startswith(LAB_CODE):
        _refuse([key for key in keys if key not in given], spec)
        return _lab_code(find_code_files(spec, base, explicit), declared)
    if (file := base / Path(spec).expanduser()).suffix in WEIGHTS and file.is_file():
        files = files_around(file.parent, {"transformer": file, **explicit})
        return _lab(file.parent, files, own, declared, name=file.stem)
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
    return _lab(folder, explicit, own, declared)


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
    return replace(checkpoint, tokenizer=cfg, fingerprint=_fingerprint(cfg, checkpoint.transformer, checkpoint.sha256))


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


def _digest(path: Path) -> str:
    """sha256 of a file's content."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the file there") from error
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: is empty (zero bytes); copy it again")
    return digest


def _fingerprint(
    tokenizer: TokenizerConfig | None, transformer: TransformerConfig | None, sha256: dict[str, str]
) -> str:
    sizes = {
        "tokenizer": asdict(tokenizer) if tokenizer else None,
        "transformer": transformer.as_dict() if transformer else None,
    }
    return hashlib.sha256(json.dumps({**sizes, "files": sha256}, sort_keys=True).encode()).hexdigest()


def _agree(tokenizer: TokenizerConfig, transformer: TransformerConfig, where: Path) -> None:
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


def _native(folder: Path) -> Checkpoint:
    """Read `model.json` and check its files' sha256."""
    manifest = folder / MANIFEST
    data = read_manifest(manifest)
    tokenizer = TokenizerConfig.from_dict(data["tokenizer"], file=manifest, section="tokenizer")
    transformer = None
    if data["transformer"] is not None:
        transformer = TransformerConfig.from_dict(data["transformer"], file=manifest, section="transformer")
        _agree(tokenizer, transformer, manifest)
    files, sha256 = {}, {}
    for role in ("tokenizer", "transformer") if transformer else ("tokenizer",):
        entry = data["files"].get(role)
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("path", "sha256")):
            raise CheckpointError(f"{manifest}: files.{role} must give path and sha256; write the checkpoint again")
        files[role] = folder / entry["path"]
        sha256[role] = _digest(files[role])
        if sha256[role] != entry["sha256"]:
            raise CheckpointError(
                f"{files[role]}: sha256 {sha256[role][:12]}… is not the {entry['sha256'][:12]}… of {manifest}; "
                "the file is damaged or a different one: copy the checkpoint again"
            )
    fingerprint = _fingerprint(tokenizer, transformer, sha256)
    return Checkpoint(data["name"], "native", folder, files, tokenizer, transformer, fingerprint, sha256, data["extra"])


def _lab(
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
    files = {role: _behind_link(path) for role, path in files.items()}
    sha256: dict[str, str] = {r: _digest(files[r]) for r in ("tokenizer", "transformer") if r in files}
    if code is not None:
        sha256["attention"] = code.digest
    tokenizer = lab_tokenizer_config(files["tokenizer_config"])
    transformer = lab_transformer_config(files["transformer_config"])
    _agree(tokenizer, transformer, files["transformer_config"])
    fingerprint = _fingerprint(tokenizer, transformer, sha256)
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


def _behind_link(path: Path) -> Path:
    """Follow a link: where symbolic links are unavailable, Git writes a small text file that names the target."""
    try:
        if path.stat().st_size > _LONGEST_LINK:
            return path
        target = path.parent / path.read_text(encoding="utf-8")
        return target if target.suffix == path.suffix and target.is_file() else path
    except (OSError, ValueError):
        return path


def _lab_code(checkout: CodeFiles, declared: Declared) -> Checkpoint:
    """A checkout of the lab's code; its sizes are those of its configs if these follow the lab's format."""
    files = {role: _behind_link(path) for role, path in checkout.files.items()}
    sha256 = {role: _digest(file) for role, file in files.items()} | {"code": checkout.code.digest}
    tokenizer = transformer = None
    with contextlib.suppress(CheckpointError):  # its own code may understand other configs
        tokenizer = lab_tokenizer_config(files["tokenizer_config"])
        transformer = lab_transformer_config(files["transformer_config"])
    fingerprint = _fingerprint(tokenizer, transformer, sha256)
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
