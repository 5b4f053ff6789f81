"""Native checkpoints, and one function that loads a checkpoint of any kind.

A native folder holds `model.json` (format, name, all sizes and the normalisation of both networks, sha256 of the
weights, free `extra`) and `tokenizer.safetensors`, `transformer.safetensors`. Several models may share a tokenizer:
`files.tokenizer.path` is relative to the folder. A folder may hold a tokenizer alone (stage 1's output);
`transformer` is then null.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import torch
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from maskgit.checkpoints.against_code import AuthorsCode, compare_with_code
from maskgit.checkpoints.factory import call_factory
from maskgit.checkpoints.lab_code import load_lab_code
from maskgit.checkpoints.load_lab import load_lab
from maskgit.checkpoints.locate import locate_tokenizer
from maskgit.checkpoints.manifest import FORMAT, MANIFEST
from maskgit.checkpoints.tensors import build, place, read_verified, shapes
from maskgit.errors import CheckpointError, InputError
from maskgit.files import require_new, write_files, write_folder
from maskgit.model import MaskedImageModel, MaskGIT, checked_device
from maskgit.precision import in_bfloat16
from maskgit.tokenizer import VQGAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maskgit.checkpoints.checkpoint import Checkpoint
    from maskgit.checkpoints.evidence import Evidence
    from maskgit.config import Precision
    from maskgit.transformer import BidirectionalTransformer


def load_model(
    checkpoint: Checkpoint,
    device: str = "cpu",
    *,
    precision: Precision = "float32",
    evidence: Evidence | None = None,
    fingerprint: str | None = None,
) -> MaskedImageModel:
    """Load a located checkpoint for inference; the model's `fingerprint` is the one that counts.

    Args:
        checkpoint: what `locate` found. A Python factory's model stays on the device that the factory chose.
        device: where the networks are to be.
        precision: see `maskgit.precision`; anything but float32 is less exact.
        evidence: the user's images, on which the reading of a lab checkpoint is measured.
        fingerprint: of the model of an earlier run; a lab checkpoint is read the same way as then.

    Raises:
        CheckpointError: the weights do not fit, changed since they were located, or can be read in several ways.
        InputError: this machine has no such device, or bf16 is not available for this model.
    """
    model = _load(checkpoint, device, precision == "tf32", evidence, fingerprint)
    return in_bfloat16(model, checkpoint.name) if precision == "bf16" else model


def _load(
    checkpoint: Checkpoint, device: str, tf32: bool, evidence: Evidence | None, fingerprint: str | None
) -> MaskedImageModel:
    """The model as `load_model` returns it, in float32 or TF32."""
    checked_device(device)
    if checkpoint.kind == "python":
        return call_factory(checkpoint)
    if checkpoint.kind == "lab-code":
        return load_lab_code(checkpoint, device, tf32)
    if checkpoint.tokenizer is None or checkpoint.transformer is None:
        raise CheckpointError(
            f"{checkpoint.folder}: holds a tokenizer alone, the transformer is missing; train one on it"
        )
    if checkpoint.kind == "lab":
        return load_lab(checkpoint, device, tf32, evidence, fingerprint)
    tokenizer, transformer = build(checkpoint.tokenizer, checkpoint.transformer)
    tokenizer.load_state_dict(_read_native(checkpoint, "tokenizer", tokenizer))
    transformer.load_state_dict(_read_native(checkpoint, "transformer", transformer))
    reading = tuple(map(str, checkpoint.extra.get("reading", ())))
    return MaskGIT(
        tokenizer, transformer, fingerprint=checkpoint.fingerprint, device=device, tf32=tf32, reading=reading
    )


def load_tokenizer(spec: str | Path, device: str = "cpu") -> VQGAN:
    """Load the tokenizer, in float32, of a bundled name or a native folder, with or without a transformer."""
    checkpoint = locate_tokenizer(str(spec), Path.cwd())
    assert checkpoint.tokenizer
    with torch.random.fork_rng(devices=[]):
        tokenizer = VQGAN(checkpoint.tokenizer)
    tokenizer.load_state_dict(_read_native(checkpoint, "tokenizer", tokenizer))
    return tokenizer.to(checked_device(device)).eval()


def save_native(
    folder: Path,
    tokenizer: VQGAN | Path,
    transformer: BidirectionalTransformer | None,
    *,
    name: str,
    half: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a native checkpoint; files of the same names are replaced atomically, `model.json` last.

    Args:
        folder: where to write; made if absent.
        tokenizer: written into the folder; or the folder of an existing native one, to refer to by relative path.
        transformer: None for a tokenizer alone.
        name: shown in reports.
        half: store float16 (loaded as float32).
        extra: any JSON data, such as recipe, step, validation loss.

    Raises:
        CheckpointError: a weight is NaN or infinite (or too large for float16).
        InputError: the folder cannot be written.
    """
    contents: dict[str, bytes] = {}
    files: dict[str, dict[str, str]] = {}
    if isinstance(tokenizer, Path):
        shared = locate_tokenizer(str(tokenizer.resolve()), Path())
        assert shared.tokenizer
        tokenizer_config, weights = shared.tokenizer, shared.files["tokenizer"].resolve()
        relative = Path(os.path.relpath(weights, folder.resolve())).as_posix()
        files["tokenizer"] = {"path": relative, "sha256": shared.sha256["tokenizer"]}
    else:
        tokenizer_config = tokenizer.config
        contents["tokenizer.safetensors"] = _serialise(tokenizer, half, folder / "tokenizer.safetensors")
    if transformer is not None:
        contents["transformer.safetensors"] = _serialise(transformer, half, folder / "transformer.safetensors")
    for path, data in contents.items():
        files[Path(path).stem] = {"path": path, "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {
        "format": FORMAT,
        "name": name,
        "tokenizer": asdict(tokenizer_config),
        "transformer": transformer.config.as_dict() if transformer is not None else None,
        "files": files,
        "extra": dict(extra or {}),
    }
    contents[MANIFEST] = (json.dumps(manifest, indent=2, allow_nan=False) + "\n").encode()
    try:
        write_files(folder, contents)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def import_checkpoint(checkpoint: Checkpoint, out: Path, code: AuthorsCode | None = None) -> tuple[str, ...]:
    """Write a lab checkpoint as a native one, in float32, atomically. Returns sentences on how it was read.

    If `code` is given, our own reading is compared with it first.

    Raises:
        CheckpointError: the weights do not fit, or nothing decides how to read them.
        InputError: `out` exists and is not empty, or cannot be written.
    """
    if checkpoint.kind != "lab":
        raise CheckpointError(
            f"{checkpoint.folder or checkpoint.name}: is a {checkpoint.kind} checkpoint; use it as it is"
        )
    require_new(out)
    model = load_model(checkpoint)
    assert isinstance(model, MaskGIT)
    reading = (*model.reading, *model.caveats)
    if code:
        reading += compare_with_code(checkpoint, model, code)
    name, extra = checkpoint.name, {"reading": reading}
    write_folder(out, lambda folder: save_native(folder, model.tokenizer, model.transformer, name=name, extra=extra))
    return reading


def _read_native(checkpoint: Checkpoint, role: str, model: VQGAN | BidirectionalTransformer) -> dict[str, Tensor]:
    """Read the tensors of one of the two files and check them against the model's shapes."""
    path = checkpoint.files[role]
    data = read_verified(path, checkpoint.sha256[role])
    try:
        state = parse_safetensors(data)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path}: is not a safetensors file; copy the checkpoint again") from error
    return place(state, shapes(model), file=path, what=role)


def _serialise(model: nn.Module, half: bool, path: Path) -> bytes:
    """The state dict as safetensors bytes; equal weights give equal bytes."""
    dtype = torch.float16 if half else torch.float32
    state = {key: tensor.detach().to("cpu", dtype).contiguous() for key, tensor in model.state_dict().items()}
    if broken := [key for key, tensor in state.items() if not torch.isfinite(tensor).all()]:
        raise CheckpointError(
            f"{path}: not written: NaN or infinite in {dtype}: {', '.join(broken)}; lower the learning rate"
        )
    return to_safetensors(state)
