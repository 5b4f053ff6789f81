"""Parts of the user's own that a setting names: "python:./file.py:name", or "python:module:name".

A file's path is relative to the folder of the grid. A module is searched among the installed ones, then in that folder.
Finding a part runs nothing; loading it runs the user's code, in isolation if it is a file (`maskgit.checkpoints.user_code`).
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskgit.checkpoints import user_code
from maskgit.checkpoints.source_tree import SourceTree
from maskgit.checkpoints.user_code import CodeReference, refer, reference
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PREFIX = "python:"


@dataclass(frozen=True)
class PythonPart:
    """A class or function that was found; `code` is None for one of an installed module."""

    module: str
    name: str
    code: CodeReference | None

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


@dataclass(frozen=True)
class LoadedPart:
    """A loaded class or function, and its module."""

    part: PythonPart
    value: Any
    module: ModuleType
    code: user_code.UserCode | None

    def call(self, function: Callable[[], Any], *, what: str) -> Any:
        """Run the user's code, for example a function of the part.

        Args:
            function: What to run.
            what: Description of the call, for errors.

        Raises:
            CheckpointError: It raised an exception.
        """
        if self.code is not None:
            return self.code.call(function, what=what)
        with user_code.one_line(f"{PREFIX}{self.part}: {what}"):
            return function()


def is_python(text: str) -> bool:
    """True if a setting names a part of the user's own."""
    return text.startswith(PREFIX)


def find_part(text: str, base: Path, key: str) -> PythonPart:
    """Find what a setting names, without running anything.

    Args:
        text: What the user wrote.
        base: Folder that a relative path starts from.
        key: Name of the setting, for errors.

    Raises:
        CheckpointError: The text has another form, or there is no such file or module, or the file is not Python.
    """
    target, name = target_and_name(text, key)
    if target.endswith(".py"):
        return PythonPart(Path(target).stem, name, refer(f"{target}:{name}", base, key))
    if importlib.util.find_spec(target.split(".")[0]) is not None:  # the top package: searching deeper would import it
        return PythonPart(target, name, None)
    file = SourceTree((base.resolve(),)).find(target, hidden=True)
    if file is None or file.is_dir():
        raise CheckpointError(
            f"{key} = {text!r:.200}: no module {target}, neither installed nor in {base.resolve()}; install it, or name "
            f"its file: python:./path/to/file.py:{name}"
        )
    return PythonPart(target, name, reference(file, name, base))


def target_and_name(text: str, key: str) -> tuple[str, str]:
    """The file or module, and the name in it, of "python:./file.py:name".

    Raises:
        CheckpointError: The text has another form.
    """
    target, _, name = text.removeprefix(PREFIX).rpartition(":")
    is_module = all(part.isidentifier() for part in target.split("."))
    if not name.isidentifier() or not (target.endswith(".py") or is_module):
        raise CheckpointError(
            f"{key} = {text!r:.200}: must read python:./file.py:name or python:module:name, as in python:./my_code.py:load"
        )
    return target, name


def load_part(part: PythonPart, noun: str) -> LoadedPart:
    """Run the file or import the module of a part; `noun` says what the part is, for errors.

    Raises:
        CheckpointError: It raises an exception, changed since it was found, or does not define the name.
    """
    if part.code is not None:
        code = user_code.load(part.code)
        return LoadedPart(part, code.value, code.module, code)
    with user_code.one_line(f"{PREFIX}{part}: cannot be imported"):
        module = importlib.import_module(part.module)
    value = getattr(module, part.name, None)
    if not callable(value):
        raise CheckpointError(f"{PREFIX}{part}: no function {part.name} in {part.module}; name {noun}")
    return LoadedPart(part, value, module, None)
