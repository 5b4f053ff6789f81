"""YAML from others: plain data is read, and what grows without limit or builds objects is refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from maskgit.checkpoints.plain_yaml import LARGEST_BYTES, read_yaml
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 64))


def test_plain_data_and_few_aliases_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("sizes: &s [32, 64]\nagain: *s\nbeta: 0.25\n")
    assert read_yaml(tmp_path / "c.yml") == {"sizes": [32, 64], "again": [32, 64], "beta": 0.25}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "aliases"),
        ("a: &a [*a]", "aliases"),
        ("a: !!timestamp x", "not YAML"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
        ("a: " + "[" * 1500, "not YAML"),
        ("a: [", "not YAML"),
        ("#" * (LARGEST_BYTES + 1), "larger"),
    ],
    ids=["bomb", "itself", "tag", "object", "deep", "open", "large"],
)
def test_hostile_files_are_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "c.yml"
    path.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert len(message) < len(str(path)) + 200
    assert len(message.splitlines()) == 1
