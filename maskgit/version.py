"""Version of the installed distribution, which holds both packages."""

from __future__ import annotations

from importlib import metadata

DISTRIBUTION = "maskbench"


def version() -> str:
    """The version, such as "0.3.0"; "0+unknown" for sources that were never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
