"""Load a class or function from a user's code and run it in isolation.

Every load makes its own space. Python knows the tree's modules under the space's unique name
(`_user_code_3.models.layers` for `models/layers.py`), and the `__import__` of their code searches there first. So in the
user's code, names such as `models`, `utils`, `maskgit` or `bench` mean the user's modules, at import and also when a
function imports something later. No other code sees these modules, and two trees never mix.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import importlib
import itertools
import os
import re
import sys
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from maskgit.checkpoints.source_tree import SourceTree, folder_of, tree_around, tree_below
from maskgit.errors import CheckpointError, MaskgitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PREFIX = "_user_code_"


@dataclass(frozen=True)
class CodeReference:
    """A class or function in a user's file; `sources` has the sha256 of that file and of all it imports from its tree."""

    file: Path
    name: str
    tree: SourceTree
    sources: dict[Path, str]

    @property
    def digest(self) -> str:
        """Sha256 over the sources."""
        return self.tree.digest(self.sources)

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


def refer(text: str, base: Path, key: str) -> CodeReference:
    """Resolve "path/to/file.py:Name" without running the file.

    Args:
        text: What the user wrote.
        base: Folder that a relative path starts from.
        key: Name of the setting, for errors.

    Raises:
        CheckpointError: the text has another form, or there is no such file, or it is not Python.
    """
    path, _, name = text.rpartition(":")
    if not path.endswith(".py") or not name.isidentifier():
        raise CheckpointError(
            f"{key} = {text!r:.200}: must read path/to/file.py:Name, as in models/layers.py:MyAttention"
        )
    file = (base / Path(path).expanduser()).resolve()
    if not file.is_file():
        raise CheckpointError(
            f"{key} = {text!r:.200}: no file {file}; correct the path, which starts from {base.resolve()}"
        )
    return reference(file, name, base)


def reference(file: Path, name: str, base: Path, root: Path | None = None) -> CodeReference:
    """Reference to a name in an existing file, with its sources in the tree around the file, or below `root`."""
    file = file.resolve()
    tree = tree_below(root, file) if root is not None else tree_around(file, base.resolve())
    return CodeReference(file, name, tree, tree.sources(file))


@dataclass(eq=False)
class UserCode:
    """A loaded class or function and its space."""

    reference: CodeReference
    value: Any
    module: ModuleType
    _space: _Space

    def call(self, function: Callable[[], Any], *, what: str, folder: Path | None = None) -> Any:
        """Run user code, for example a constructor, and restore `sys.path` and the like afterwards.

        Args:
            function: What to run.
            what: Description of the call, for errors.
            folder: Working directory during the call.

        Raises:
            CheckpointError: it raised an exception.
        """
        with _undisturbed(self._space, folder), self.errors(what):
            return function()

    def fingerprint(self, fingerprint: str) -> str:
        """A checkpoint's fingerprint, extended by sources that ran but that no import statement names."""
        unseen = self._space.executed.keys() - self.reference.sources.keys()
        if not unseen:
            return fingerprint
        digest = self.reference.tree.digest({path: self._space.executed[path] for path in unseen})
        return hashlib.sha256(f"{fingerprint} {digest}".encode()).hexdigest()

    @contextlib.contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn any exception of the user's code into one line that names its file."""
        with one_line(f"{self.reference}: {what}"):
            yield


def load(reference: CodeReference) -> UserCode:
    """Run the referenced file in a new space and return its class or function.

    Raises:
        CheckpointError: the file raises an exception, changed since it was hashed, or does not define the name.
    """
    space = _Space(reference)
    with _undisturbed(space, None), one_line(f"{reference.file}: cannot be run"):
        module = space.run(reference.file)
    value = getattr(module, reference.name, None)
    if not callable(value):
        there = [name for name, item in vars(module).items() if _is_own(item, module)]
        raise CheckpointError(
            f"{reference.file}: has no class or function {reference.name}; it has {', '.join(there) or 'none'}"
        )
    return UserCode(reference, value, module, space)


def _is_own(item: object, module: ModuleType) -> bool:
    return callable(item) and getattr(item, "__module__", None) == module.__name__


_numbers = itertools.count()
_spaces: dict[str, _Space] = {}


@dataclass(eq=False)
class _Space:
    """The modules of one load, under a unique name in `sys.modules`.

    `executed` has the sha256 of the files that ran. During loading, `path` is `sys.path` as it was before the user's code
    ran; folders that the code adds to it are searched too, and kept in `added`.
    """

    reference: CodeReference
    prefix: str = field(default_factory=lambda: f"{PREFIX}{next(_numbers)}")
    executed: dict[Path, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    path: list[str] | None = None
    _own: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.builtins = {**vars(builtins), "__import__": self.import_}
        root = ModuleType(self.prefix)
        root.__path__ = []
        sys.modules[self.prefix] = root
        _spaces[self.prefix] = self
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)

    def import_(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """The `__import__` of the user's code: modules of the tree first, then all others."""
        top = name.partition(".")[0]
        if level or not self.has(top):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = builtins.__import__(f"{self.prefix}.{name}", globals, locals, fromlist or (), 0)
        return module if fromlist else sys.modules[f"{self.prefix}.{top}"]

    def has(self, top: str) -> bool:
        """True if a name means a module of the tree."""
        if self.path is not None:  # the search may still change
            return self.find(top) is not None
        if top not in self._own:
            self._own[top] = self.find(top) is not None
        return self._own[top]

    def find(self, dotted: str, hidden: bool = False) -> Path | None:
        """The path of a module in the tree or in a folder that the code added to `sys.path`."""
        if self.path is not None:
            self.added = tuple(dict.fromkeys([*self.added, *(entry for entry in sys.path if entry not in self.path)]))
        added = SourceTree(tuple(Path(entry).resolve() for entry in self.added))
        return self.reference.tree.find(dotted, hidden=hidden) or added.find(dotted, hidden=hidden)

    def run(self, file: Path) -> ModuleType:
        """Run a file as a module of the tree, after its parent packages."""
        name = f"{self.prefix}.{self.reference.tree.name_of(file)}"
        importlib.import_module(name.rpartition(".")[0])
        if getattr(sys.modules.get(name), "__file__", None) != str(file):
            spec = self.spec(name, file)
            assert spec.loader is not None
            sys.modules[name] = module = module_from_spec(spec)
            spec.loader.exec_module(module)
        return sys.modules[name]

    def spec(self, name: str, place: Path) -> ModuleSpec:
        """Module spec with which Python loads a file or folder of the tree."""
        if place.is_dir():
            namespace = ModuleSpec(name, None, is_package=True)
            namespace.submodule_search_locations = [str(place)]
            return namespace
        inside = [str(folder_of(place))] if place.name == "__init__.py" else None
        loader = _Loader(name, str(place), self)
        spec = spec_from_file_location(name, place, loader=loader, submodule_search_locations=inside)
        assert spec is not None
        return spec


class _Finder(MetaPathFinder):
    """Finds the modules of all spaces and nothing else."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        prefix, _, dotted = fullname.partition(".")
        space = _spaces.get(prefix)
        place = space.find(dotted, hidden=True) if space else None
        return space.spec(fullname, place) if space and place else None


class _Loader(SourceFileLoader):
    """Runs a module from its hashed source, never from cached bytecode, with the space's `__import__`."""

    def __init__(self, name: str, path: str, space: _Space) -> None:
        super().__init__(name, path)
        self.space = space

    def get_code(self, fullname: str) -> CodeType:
        data, path = self.get_data(self.path), Path(self.path)
        digest = hashlib.sha256(data).hexdigest()
        if self.space.reference.sources.get(path, digest) != digest:
            raise CheckpointError(f"{path}: changed since its sha256 was taken; start again")
        self.space.executed[path] = digest
        return compile(data, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self.space.builtins
        super().exec_module(module)


_finder = _Finder()


@contextlib.contextmanager
def _undisturbed(space: _Space, folder: Path | None) -> Iterator[None]:
    """Restore global state that user code changes; its prints go to the error stream."""
    path, argv, cwd, modules = list(sys.path), sys.argv, Path.cwd(), set(sys.modules)
    space.path, sys.argv = path, [str(space.reference.file)]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            if folder is not None:
                os.chdir(folder)
            yield
    finally:
        for name in set(sys.modules) - modules:
            if _leaked(name, space):
                del sys.modules[name]
        space.path, sys.path[:], sys.argv = None, path, argv
        os.chdir(cwd)


def _leaked(name: str, space: _Space) -> bool:
    """True if a new module is one of the tree that was imported under its plain name, for example through importlib."""
    file = getattr(sys.modules[name], "__file__", None)
    if name.startswith(PREFIX) or file is None:
        return False
    return space.find(name) == Path(file).resolve()


@contextlib.contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn any exception of user code into one line that begins with `what`; our own errors and out of memory propagate."""
    try:
        yield
    except (KeyboardInterrupt, MaskgitError, MemoryError):
        raise
    except ModuleNotFoundError as error:
        missing = _without_prefix(str(error.name))
        top, _, inside = missing.partition(".")
        place = (
            f"which the {top} found does not have; correct the import"
            if inside and top in sys.modules
            else ("which is neither in its folders nor installed; install it (pip install …)")
        )
        raise CheckpointError(f"{what}: imports {missing}, {place}") from error
    except BaseException as error:  # SystemExit too: some modules read a command line when imported
        if type(error).__name__ == "OutOfMemoryError":
            raise
        reason = _without_prefix(" ".join(str(error).split()))[:300]
        raise CheckpointError(f"{what}: {type(error).__name__}: {reason}; correct it there") from error


def _without_prefix(text: str) -> str:
    return re.sub(rf"{PREFIX}\d+\.", "", text)
