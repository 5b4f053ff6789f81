"""Extractors of the user's own: found by content without running, checked when they run; bad ones are one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from bench.features.registry import load
from bench.features.sources import as_strict, require_extractors, resolve, resolve_all
from bench.run.caveats import of_extractors
from maskgit.errors import MaskgitError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "python:./mine.py:means"
CODE = """
from helper import scale
DIM = 3
{extra}
print("this ran")
def means(device):
    return lambda images: scale * images.float().mean((2, 3)){tail}
"""


def write(folder: Path, extra: str = "", tail: str = "", scale: float = 1.0) -> Path:
    (folder / "mine.py").write_text(CODE.format(extra=extra, tail=tail), encoding="utf-8")
    (folder / "helper.py").write_text(f"scale = {scale}\n", encoding="utf-8")
    return folder


def test_it_is_found_without_running_and_never_called_fid(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = resolve(NAME, base=write(tmp_path))
    assert "this ran" not in "".join(capfd.readouterr())
    assert (source.name, source.label, source.dim, source.verified) == (NAME, "FD", 3, False)
    assert "user's own code" in of_extractors(10_000, [source])[0]
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(load(source).embed(images), images.float().mean((2, 3)))


def test_what_is_stored_depends_on_the_file_on_its_imports_and_on_its_weights(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"a")
    fingerprints = [resolve(NAME, base=write(tmp_path)).fingerprint]
    fingerprints.append(resolve(NAME, base=write(tmp_path, scale=2.0)).fingerprint)
    fingerprints.append(resolve(NAME, base=write(tmp_path, extra='WEIGHTS = "w.pt"')).fingerprint)
    (tmp_path / "w.pt").write_bytes(b"b")
    fingerprints.append(resolve(NAME, base=tmp_path).fingerprint)
    assert len(set(fingerprints)) == 4
    assert resolve(NAME, base=tmp_path).fingerprint == fingerprints[-1]


def refusal(act: object) -> str:
    with pytest.raises(MaskgitError) as caught:
        act()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    write(tmp_path)
    assert "no file" in refusal(lambda: resolve("python:./other.py:means", base=tmp_path))
    assert "must read python:" in refusal(lambda: require_extractors(["python:mine"]))
    assert "name a file" in refusal(lambda: resolve("python:json:loads", base=tmp_path))
    assert "one way" in refusal(lambda: as_strict(resolve(NAME, base=tmp_path)))
    assert "cannot be read" in refusal(lambda: resolve(NAME, base=write(tmp_path, extra='WEIGHTS = "none.pt"')))
    (tmp_path / "mine.py").write_text("def means(device): ...\n", encoding="utf-8")
    assert "add a line such as DIM = 64" in refusal(lambda: resolve(NAME, base=tmp_path))


@pytest.mark.parametrize(
    ("tail", "says"),
    [("[:, :2]", "returns (2, 2), expected a tensor (2, 3)"), (".numpy()", "ndarray"), (".nothing()", "failed")],
)
def test_a_network_that_returns_something_else_is_named(tmp_path: Path, tail: str, says: str) -> None:
    extractor = load(resolve(NAME, base=write(tmp_path, tail=tail)))
    assert says in refusal(lambda: extractor.embed(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)))


def test_it_is_used_next_to_others(tmp_path: Path) -> None:
    sources = resolve_all((NAME, "efficientnet-lite0"), base=write(tmp_path))
    assert [source.name for source in sources] == [NAME, "efficientnet-lite0"]
