"""Find the other files of a lab checkpoint near its transformer's file: in its folder or its checkout (no torch)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskgit.checkpoints.epochs import by_number
from maskgit.checkpoints.lab_config import model_param
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors")
"""Suffixes of weight files, in order of preference."""
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
    """Find the files by role: those given, else those in the folder, else those that the config names, else the nearest.

    The transformer's config determines the root of the checkout: nothing is taken from outside the folder in which it was
    found. If there is no tokenizer file, its role is left out: the transformer's file may hold it.

    Args:
        folder: The folder of the transformer's file, or the checkout.
        given: Files that are known, by role.

    Raises:
        CheckpointError: a config is missing, or two are equally near.
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
    """Find the nearest file with a usual name in or below the first of the folders that has one."""
    for folder in folders:
        for depth in range(LEVELS_DOWN + 1):
            matches = sorted(
                (path for path in files_at_depth(folder, depth) if path.name.lower() in NAMES[role]), key=by_number
            )
            if len(matches) > 1:
                names = ", ".join(str(path.relative_to(folder)) for path in matches[:4])
                raise CheckpointError(f"{folder}: {role}: several: {names}; name one as model.{role}")
            if matches:
                return matches[0]
    return None


def _in_folder(role: str, folder: Path) -> Path | None:
    return next((path for path in files_at_depth(folder, 0) if path.name.lower() in NAMES[role]), None)


def _configured(config: Path, roots: list[Path]) -> dict[str, Path]:
    """The existing tokenizer files that a transformer's config names, relative to one of several roots."""
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
    """The folder and its parents up to the root of the checkout, or a few levels, but never the home folder or above."""
    for number, above in enumerate((folder, *folder.parents)):
        if number and (number > LEVELS_UP or above == Path.home() or above in Path.home().parents):
            return
        yield above
        if (above / ".git").exists():
            return


def files_at_depth(folder: Path, depth: int) -> Iterator[Path]:
    """Files exactly `depth` levels below a folder; hidden folders and installed packages are left out."""
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
