"""A user's source tree: where its modules are, what they import, and a digest of the sources (nothing runs here).

Names resolve as in a script at the tree's root: a module there comes before an installed one of the same name.
The folders between the root and the file that was named are searched last, for code that ran with one of them on its path.
The standard library always comes first.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = frozenset({"bench", "maskgit"})  # in a tree with modules of these names, the names mean its own
OUR_ROOT = Path(__file__).resolve().parents[2]  # unless the tree is ours


@dataclass(frozen=True)
class SourceTree:
    """Folders that are searched for a user's modules, the root first."""

    roots: tuple[Path, ...]

    def find(self, dotted: str, *, hidden: bool = False) -> Path | None:
        """The file of a module (`__init__.py` of a package; a folder without one is a package too), or None.

        `hidden` also finds modules whose name means another module in an import statement.
        """
        top, *rest = dotted.split(".")
        for number, root in enumerate(self.roots):
            place = module_at(root, top)
            if place is None or (place.is_dir() and not _holds_code(place)):
                continue
            if not hidden and self._means_another(top, root, everywhere=number > 0 or place.is_dir()):
                continue
            for part in rest:
                place = module_at(folder_of(place), part) if place is not None else None
            if place is not None:
                return place
        return None

    def name_of(self, file: Path) -> str:
        """Dotted name of a file in the tree, relative to the outermost root that contains it."""
        for root in self.roots:
            if file.is_relative_to(root):
                parts = file.relative_to(root).with_suffix("").parts
                if all(part.isidentifier() for part in parts):
                    return ".".join(parts)
        return file.stem

    def sources(self, file: Path) -> dict[Path, str]:
        """Sha256 of a file, the packages around it and every module of the tree that these import, by path.

        Imports inside functions count; imports by a computed name cannot be seen here.

        Raises:
            CheckpointError: a file cannot be read or is not Python.
        """
        name = self.name_of(file)
        packages = (self.find(name.rsplit(".", n)[0]) for n in range(1, name.count(".") + 1))
        pending = [file, *(place for place in packages if place is not None and place.is_file())]
        digests: dict[Path, str] = {}
        while pending:
            path = pending.pop()
            if path in digests:
                continue
            data = _read(path)
            digests[path] = hashlib.sha256(data).hexdigest()
            pending += [place for place in self._imported_by(path, data) if place.is_file()]
        return digests

    def digest(self, sources: dict[Path, str]) -> str:
        """Sha256 over the sources and their paths in the tree; independent of where the tree is."""
        lines = sorted(f"{self._tree_path(path)} {digest}" for path, digest in sources.items())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _tree_path(self, path: Path) -> str:
        root = self.roots[0]
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name

    def _imported_by(self, path: Path, data: bytes) -> Iterator[Path]:
        """Paths of the modules that a file's import statements may name."""
        for node in ast.walk(_parse(path, data)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._along(alias.name)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                for alias in node.names:
                    yield from self._along(f"{node.module}.{alias.name}")
            elif isinstance(node, ast.ImportFrom):
                folder = path.parents[node.level - 1]
                for alias in node.names:
                    yield from _along_folders(folder, [*(node.module or "").split("."), alias.name])

    def _along(self, dotted: str) -> Iterator[Path]:
        """Paths of a module and of the packages that hold it."""
        parts = dotted.split(".")
        for n in range(1, len(parts) + 1):
            if place := self.find(".".join(parts[:n])):
                yield place

    def _means_another(self, name: str, root: Path, everywhere: bool) -> bool:
        """True if a name means a module of ours or of the standard library or, with `everywhere`, an installed one."""
        if name in OURS:
            return root == OUR_ROOT
        if name in sys.stdlib_module_names or not everywhere:
            return name in sys.stdlib_module_names
        elsewhere = [entry for entry in sys.path if Path(entry).resolve() not in self.roots]
        spec = PathFinder.find_spec(name, elsewhere)
        return spec is not None and spec.loader is not None


def tree_around(file: Path, base: Path) -> SourceTree:
    """Return the tree that a file belongs to.

    Its root is the checkout (the folder with `.git`); else `base`, if the file is below it; else the folder that holds
    `models/`; else the one above the file's outermost package.
    """
    above = list(file.parents)
    checkout = next((folder for folder in above if (folder / ".git").exists()), None)
    holder = next((folder.parent for folder in reversed(above) if folder.name == "models"), None)
    loose = next(folder for folder in above if not (folder / "__init__.py").is_file())
    return tree_below(checkout or (base if base in above else None) or holder or loose, file)


def tree_below(root: Path, file: Path) -> SourceTree:
    """Return the tree of a file whose root is known."""
    return SourceTree(tuple(folder for folder in reversed(file.parents) if folder.is_relative_to(root)))


def module_at(folder: Path, name: str) -> Path | None:
    """The package's `__init__.py`, module file or folder that Python would import as `name`; None if there is none."""
    for place in (folder / name / "__init__.py", folder / f"{name}.py"):
        if place.is_file():
            return place
    return folder / name if (folder / name).is_dir() else None


def folder_of(place: Path) -> Path:
    """The folder of a module's submodules; for a plain file, a folder that does not exist."""
    if place.is_dir():
        return place
    return place.parent if place.name == "__init__.py" else place.with_suffix("")


def _along_folders(folder: Path, parts: list[str]) -> Iterator[Path]:
    """Paths of the modules that a relative import may name, given the folder it starts from."""
    for part in filter(None, parts):
        place = module_at(folder, part)
        if place is None:
            return
        yield place
        folder = folder_of(place)


def _holds_code(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) for pattern in ("*.py", "*/*.py", "*/*/*.py"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the file there") from error


def _parse(path: Path, data: bytes) -> ast.Module:
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise CheckpointError(f"{path}{where}: is not Python ({reason}); correct it") from None
