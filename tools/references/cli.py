"""docs/cli.md: every command with its arguments and options."""

from __future__ import annotations

import inspect
from enum import EnumMeta
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from typer.main import get_command

from bench import errors
from bench.cli import app
from tools.references.markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = (
    "`maskbench --help` lists the commands and `maskbench COMMAND --help` shows one of them. Results go to standard output, "
    "progress and messages to standard error."
)
EXIT_CODES = {
    "EXIT_OK": "success, or the gate passed",
    "EXIT_REGRESSION": "the gate found a regression",
    "EXIT_BAD_INPUT": "usage or bad input",
    "EXIT_NOT_COMPARABLE": "not comparable, or no baseline",
    "EXIT_INCOMPLETE": "the run is incomplete",
    "EXIT_INCONCLUSIVE": "the gate is inconclusive, if this code was requested",
    "EXIT_DEFECT": "internal error",
    "EXIT_INTERRUPTED": "interrupted; the same command resumes",
}
"""Meanings of the exit codes, by name in `bench.errors`."""
TYPES = {str: "text", int: "integer", float: "number", Path: "path", bool: ""}


def cli() -> str:
    """The page."""
    codes = {name: value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    body = ["## Exit codes", "", *table(("code", "meaning"), [(str(codes[name]), EXIT_CODES[name]) for name in codes])]
    for name, command in _commands("maskbench", get_command(app)):
        body += [f"## {name}", "", *_help(command), *_parameters(command)]
    return page("The command line", INTRODUCTION, body)


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """All commands including those of groups, in the order of --help."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child_name, child in command.commands.items():
        yield from _commands(f"{name} {child_name}", child)


def _help(command: Any) -> list[str]:
    text, _, example = inspect.cleandoc(command.help or "").partition("\nExample: ")
    lines = [text.strip(), ""]
    return [*lines, "```sh", example.strip(), "```", ""] if example else lines


def _parameters(command: Any) -> list[str]:
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    rows = []
    for parameter in command.params:
        if parameter.name not in hints:
            continue
        names = ", ".join(code(name) for name in [*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            names = code(parameter.metavar or parameter.name.upper())
        rows.append((names, _value(hints[parameter.name]), _default(parameter), parameter.help or ""))
    return table(("argument or option", "value", "default", "meaning"), rows) if rows else []


def _value(hint: Any) -> str:
    """The values of a parameter, from its annotation: `integer ≥ 1`, `path (several)`."""
    bare, info = get_args(hint)
    kinds = [kind for kind in get_args(bare) or (bare,) if kind is not NoneType]
    (kind,) = kinds if get_origin(bare) is not list else (bare,)
    if isinstance(kind, EnumMeta):
        return ", ".join(kind)
    if get_origin(kind) is list:
        return f"{TYPES[get_args(kind)[0]]} (several)"
    bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", info.min), ("≤", info.max)) if bound is not None]
    return " ".join([TYPES[kind], " and ".join(bounds)]).strip()


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    return code(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
