"""Packages of peers, fetched once and kept in pytest's cache: not installed, so that no other test sees them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def fetched(config: pytest.Config, name: str, packages: Sequence[str]) -> Path:
    """A folder with these packages, to put in front of Python's path; the test skips loudly if they cannot be had."""
    folder = config.cache.mkdir(name) / f"python{sys.version_info.minor}-{len(packages)}"
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--retries=1", "--target", str(fresh)]
        result = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
        if result.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            reason = (result.stderr.splitlines() or ["pip failed"])[-1]
            pytest.skip(f"PEERS ABSENT: {' '.join(packages)} cannot be installed ({reason}); parity was not checked")
        fresh.rename(folder)
    return folder
