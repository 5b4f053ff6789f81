"""Locate a "lab-code:PATH" checkpoint: model class, configs and weights in a checkout (no torch; no code runs)."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from maskgit.checkpoints.epochs import by_number
from maskgit.checkpoints.nearby import LEVELS_DOWN, WEIGHTS, files_around, files_at_depth
from maskgit.checkpoints.user_code import CodeReference, reference
from maskgit.errors import CheckpointError

PREFIX = "lab-code:"
CLASS = "maskgit"  # in lower case, underscores left out
USUAL_TRANSFORMERS = ("transformer", "best_ckpt")
FORM = "lab-code:PATH, or lab-code:PATH:models/file.py:Class"


@dataclass(frozen=True)
class CodeFiles:
    """A checkout's root, its model class and its files by role."""

    root: Path
    code: CodeReference
    files: dict[str, Path]


def find_code_files(spec: str, base: Path, given: dict[str, Path]) -> CodeFiles:
    """Find what "lab-code:PATH" names.

    Args:
        spec: What the user wrote.
        base: Folder that a relative path starts from.
        given: Files that the user named, by role.

    Raises:
        CheckpointError: no such checkout; or a class, config or weights that are missing or ambiguous.
    """
    match = re.fullmatch(r"(.+?)(?::([^:]+\.py):([A-Za-z_]\w*))?", spec.removeprefix(PREFIX))
    if match is None:
        raise CheckpointError(f"checkpoint = {spec!r}: must read {FORM}")
    root = (base / Path(match[1]).expanduser()).resolve()
    if not root.is_dir():
        raise CheckpointError(f"checkpoint = {spec!r}: no folder {root}; it must read {FORM}")
    file, name = (root / match[2], match[3]) if match[2] else _model_class(root, spec)
    if not file.is_file():
        raise CheckpointError(f"checkpoint = {spec!r}: no file {file}; name it from the root of the checkout")
    files = files_around(root, given)
    if "transformer" not in files:
        files["transformer"] = _transformer(root, files.get("tokenizer"))
    return CodeFiles(root, reference(file, name, root, root), files)


def _model_class(root: Path, spec: str) -> tuple[Path, str]:
    """Find the class MaskGit, preferably in `models/`: its file and name."""
    classes = [(file, name) for file in _below(root, ".py") for name in _class_names(file)]
    in_models = [(file, name) for file, name in classes if "models" in file.relative_to(root).parts]
    classes = in_models or classes
    if len(classes) == 1:
        return classes[0]
    names = ", ".join(f"{file.relative_to(root).as_posix()}:{name}" for file, name in classes) or "none"
    raise CheckpointError(f"checkpoint = {spec!r}: a class MaskGit in {root}: {names}; name it: {FORM}")


def _class_names(file: Path) -> list[str]:
    try:
        nodes = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []  # an unreadable file does not define the model; if the model imports it, that fails later
    classes = (node.name for node in nodes if isinstance(node, ast.ClassDef))
    return [name for name in classes if name.lower().replace("_", "") == CLASS]


def _transformer(root: Path, tokenizer: Path | None) -> Path:
    """Find the transformer's weights: a usual name, else the only weight file that is not the tokenizer's."""
    files = [path for suffix in WEIGHTS for path in _below(root, suffix)]
    files = [path for path in files if "vqgan" not in path.stem.lower() and path != tokenizer]
    usual = [path for path in files if path.stem in USUAL_TRANSFORMERS]
    if len(usual) == 1 or len(files) == 1:
        return (usual or files)[0]
    names = ", ".join(path.relative_to(root).as_posix() for path in sorted(files, key=by_number)[:6]) or "none"
    raise CheckpointError(
        f"{root}: the transformer's weights: {names}; name the file as model.transformer (a pattern such as epoch_*.pt makes "
        "several checkpoints)"
    )


def _below(root: Path, suffix: str) -> list[Path]:
    levels = range(LEVELS_DOWN + 1)
    return [path for depth in levels for path in sorted(files_at_depth(root, depth)) if path.suffix == suffix]
