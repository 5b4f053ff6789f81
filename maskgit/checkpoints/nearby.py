"""The other files of a lab checkpoint around its transformer's file: in its folder or the checkout around it (no torch)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskgit.checkpoints.epochs import by_number
from maskgit.checkpoints.lab_config import model_param
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors")
"""Suffixes of files of weights, by preference."""
NAMES = {
    "transformer_config": ("maskgit.yml", "maskgit.yaml"),
    "tokenizer_config": ("vqgan.yml", "vqgan.yaml"),
    "tokenizer": tuple(f"vqgan{suffix}" for suffix in WEIGHTS),
}
"""Usual names by role, in lower case."""
CONFIGURED = {"tokenizer_config": "VQ_config_path", "tokenizer": "VQ_CKPT_path"}
"""Keys of `VQ_Configs` that name the tokenizer's files, from the root of the checkout."""
LEVELS_UP, LEVELS_DOWN = 3, 4
SKIPPED = ("__pycache__", "node_modules", "site-packages", "venv", "env")


def files_around(folder: Path, given: dict[str, Path]) -> dict[str, Path]:
    """The files by role: those given, else the folder's own, else those that the config names, else the nearest by name.

    The transformer's config settles where the checkout's root is: nothing is taken from beyond the folder under which it was
    found. Without a tokenizer anywhere its role is left out: the transformer's file may hold it.

    Args:
        folder: Of the transformer's file, or the checkout.
        given: Files that are known, by role.

    Raises:
        CheckpointError: a config is nowhere, or two are equally near.
    """
    files, folders = dict(given), list(_folders_up(folder.resolve()))
    if "transformer_config" not in files:
        nearest = _nearest("transformer_config", folders)
        if nearest is None:
            raise _missing("transformer_config", folder)
        files["transformer_config"] = nearest
    config = files["transformer_config"].resolve()
    root = next((above for above in folders if config.is_relative_to(above)), folders[0])
    folders = folders[: folders.index(root) + 1]
    named = _configured(config, folders)
    for role in ("tokenizer_config", "tokenizer"):
        if role not in files:
            path = _in_folder(role, folder) or named.get(role) or _nearest(role, folders)
            files |= {role: path} if path else {}
    if "tokenizer_config" not in files:
        raise _missing("tokenizer_config", root)
    return files


def _nearest(role: str, folders: list[Path]) -> Path | None:
    """The nearest file of a usual name in or below one of some folders, of these the first that has one."""
    for folder in folders:
        for depth in range(LEVELS_DOWN + 1):
            matches = sorted(
                (path for path in files_at_depth(folder, depth) if path.name.lower() in NAMES[role]), key=by_number
            )
            if len(matches) > 1:
                shown = ", ".join(str(path.relative_to(folder)) for path in matches[:4])
                raise CheckpointError(f"{folder}: {role}: several: {shown}; name one as model.{role}")
            if matches:
                return matches[0]
    return None


def _in_folder(role: str, folder: Path) -> Path | None:
    return next((path for path in files_at_depth(folder, 0) if path.name.lower() in NAMES[role]), None)


def _configured(config: Path, roots: list[Path]) -> dict[str, Path]:
    """The tokenizer's files that a transformer's config names from one of some roots, where they are there."""
    table: Any = model_param(config).get("VQ_Configs")
    files = {}
    for role, key in CONFIGURED.items() if isinstance(table, dict) else ():
        written = table.get(key)
        if isinstance(written, str):
            places = (root / written.replace("\\", "/") for root in roots)
            if place := next((place for place in places if place.is_file()), None):
                files[role] = place
    return files


def _folders_up(folder: Path) -> Iterator[Path]:
    """The folder and those above it: up to the checkout's, or a few, and never the home folder or above."""
    for number, above in enumerate((folder, *folder.parents)):
        if number and (number > LEVELS_UP or above == Path.home() or above in Path.home().parents):
            return
        yield above
        if (above / ".git").exists():
            return


def files_at_depth(folder: Path, depth: int) -> Iterator[Path]:
    """Files a number of levels below a folder; hidden folders and installed packages are left out."""
    try:
        for path in folder.iterdir():
            if path.is_dir() and depth and not path.name.startswith(".") and path.name not in SKIPPED:
                yield from files_at_depth(path, depth - 1)
            elif not depth and path.is_file():
                yield path
    except OSError:
        return


def _missing(role: str, folder: Path) -> CheckpointError:
    usual = {"transformer_config": "MaskGit.yml", "tokenizer_config": "VQGAN.yml"}[role]
    return CheckpointError(f"{folder}: no {usual} in it or around it; put it there, or name the file as model.{role}")
