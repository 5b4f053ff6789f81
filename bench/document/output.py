"""Where a report goes: a file, whole or not at all, or standard output in whatever characters it takes."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.files import write_bytes
from maskgit.errors import InputError

FILE_WIDTH = 100  # of what a terminal would show, written to a file


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
