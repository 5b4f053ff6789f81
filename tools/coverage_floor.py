"""Check measured coverage: high enough in total, and no file far below.

pytest --cov --cov-report=json && python -m tools.coverage_floor coverage.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOTAL, FILE = 92.0, 80.0
"""Smallest percentages of lines and branches."""


def shortfalls(report: dict[str, Any]) -> list[str]:
    """One line for the total and one for each file with too little coverage, from the output of `coverage json`."""
    total = report["totals"]["percent_covered"]
    lines = [f"{total:.1f} % in all, below {TOTAL:g} %"] if total < TOTAL else []
    by_file = {name: file["summary"]["percent_covered"] for name, file in report["files"].items()}
    return lines + [f"{name}: {share:.1f} %, below {FILE:g} %" for name, share in by_file.items() if share < FILE]


def main(path: Path) -> int:
    """Print every shortfall; returns the exit code."""
    report = json.loads(path.read_text(encoding="utf-8"))
    problems = shortfalls(report)
    print("\n".join(problems) or f"{report['totals']['percent_covered']:.1f} % of lines and branches")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
