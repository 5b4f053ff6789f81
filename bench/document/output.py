"""Where a report goes: a file, whole or not at all, or standard output in whatever characters it takes."""

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

FILE_WIDTH = 100  # of what a terminal would show, written to a file
FORMATS = ("rich", "markdown", "json")
"""The formats of every report."""


def require_format(format: str, known: tuple[str, ...] = FORMATS) -> None:
    """Refuse a format that a report does not have.

    Raises:
        InputError: The message names the known ones.
    """
    if format not in known:
        raise InputError(f"--format {clean(format)}: unknown; one of {', '.join(known)}")


def publish(
    format: str, document: Callable[[], Document], content: Callable[[], Any], output: Path | None = None
) -> None:
    """Write a report in one of FORMATS to a file, or to standard output.

    Args:
        format: One of FORMATS.
        document: Makes the report for people.
        content: Makes the report for programs: what JSON is written from.
        output: The file; None: standard output.

    Raises:
        InputError: An unknown format, or a file that cannot be written.
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
    """Write a file whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    if output.is_dir():
        raise InputError(f"--output {output}: a folder; name a file")
    try:
        write_bytes(output, content)
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error.strerror}); name another file") from None


def emit(content: str, output: Path | None = None) -> None:
    """Write text to a file (UTF-8), or to standard output where there is none.

    Raises:
        InputError: The file cannot be written.
    """
    if output is not None:
        write(content.encode("utf-8"), output)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(content.encode(encoding, "xmlcharrefreplace").decode(encoding))
