"""The folder in which features of pictures are kept between calls of `maskbench fid`; deleting it costs time alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """`maskbench` in $XDG_CACHE_HOME where that is set, else in the platform's folder for caches."""
    if root := os.environ.get("XDG_CACHE_HOME"):
        return Path(root).expanduser() / "maskbench"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "maskbench"
    if sys.platform == "win32" and (root := os.environ.get("LOCALAPPDATA")):
        return Path(root) / "maskbench" / "cache"
    return Path.home() / ".cache" / "maskbench"
