"""Output of a report: to a file, written atomically, or to standard output in the characters that it supports."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.document.json import to_json
from bench.document.markdown import render_markdown
from bench.document.terminal import render_terminal
from bench.document.text import clean
from bench.files import write_bytes
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.document.model import Document

FILE_WIDTH = 100  # columns of terminal output that is written to a file
FORMATS = ("rich", "markdown", "json")
"""The formats of every report."""


def require_format(format: str, known: tuple[str, ...] = FORMATS) -> None:
    """Refuse an unknown format.

    Raises:
        InputError: The format is unknown; the message lists the known ones.
    """
    if format not in known:
        raise InputError(f"--format {clean(format)}: unknown; choose one of {', '.join(known)}")


def publish(
    format: str, document: Callable[[], Document], content: Callable[[], Any], output: Path | None = None
) -> None:
    """Write a report in one of FORMATS to a file, or to standard output.

    Args:
        format: One of FORMATS.
        document: Builds the report for people.
        content: Builds the report for programs, which is written as JSON.
        output: The file; None: standard output.

    Raises:
        InputError: The format is unknown, or the file cannot be written.
    """
    require_format(format)
    if format == "json":
        emit(to_json(content()), output)
    elif format == "markdown":
        emit(render_markdown(document()), output)
    elif output is None:
        render_terminal(document(), Console())
    else:
        buffer = io.StringIO()
        console = Console(file=buffer, width=FILE_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
        render_terminal(document(), console)
        emit(buffer.getvalue(), output)


def write(content: bytes, output: Path) -> None:
    """Write a file atomically.

    Raises:
        InputError: The file cannot be written.
    """
    if output.is_dir():
        raise InputError(f"--output {output}: is a folder; name a file")
    try:
        write_bytes(output, content)
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error.strerror}); name another file") from None


def emit(content: str, output: Path | None = None) -> None:
    """Write text to a file (UTF-8), or to standard output if no file is given.

    Raises:
        InputError: The file cannot be written.
    """
    if output is not None:
        write(content.encode("utf-8"), output)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(content.encode(encoding, "xmlcharrefreplace").decode(encoding))
