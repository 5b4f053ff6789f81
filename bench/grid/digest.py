"""A short digest of plain data: it names cells and trajectories, and makes the keys of the store."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(content: Any) -> str:
    """Hexadecimal sha256, 32 digits, of plain data in canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
