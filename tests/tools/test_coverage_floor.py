"""The floors of coverage: everything below a floor is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tools.coverage_floor import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("total", "files", "code", "said"),
    [
        (95.0, {"a.py": 81.0}, 0, "95.0 %"),
        (91.9, {"a.py": 81.0}, 1, "91.9 % in all"),
        (95.0, {"a.py": 79.9, "b.py": 100.0}, 1, "a.py: 79.9 %"),
    ],
)
def test_total_and_files_have_a_floor(
    total: float, files: dict[str, float], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summaries = {name: {"summary": {"percent_covered": share}} for name, share in files.items()}
    report = {"totals": {"percent_covered": total}, "files": summaries}
    (tmp_path / "coverage.json").write_text(json.dumps(report))
    assert main(tmp_path / "coverage.json") == code
    printed = capsys.readouterr().out
    assert said in printed
    assert "b.py" not in printed
