"""Where a report goes: a file, whole or not at all, or standard output in whatever characters it takes."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.report.formats import write


def emit(content: str, output: Path | None) -> None:
    """Write text to a file (UTF-8), or to standard output where there is none.

    Raises:
        InputError: The file cannot be written.
    """
    if output is not None:
        write(content.encode("utf-8"), output)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(content.encode(encoding, "xmlcharrefreplace").decode(encoding))
