"""Files of weights: what is data is read, nothing in them runs, and what is damaged or more than data is named."""

from __future__ import annotations

import argparse
import collections
import hashlib
import pathlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from maskgit.checkpoints.weight_files import read_content
from maskgit.errors import CheckpointError

WEIGHTS = {"weight": torch.arange(2000.0)}
FORMATS = {"archive": True, "legacy": False}


def read(path: Path) -> Any:
    return read_content(path, hashlib.sha256(path.read_bytes()).hexdigest())


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


class Payload:
    """Its unpickling would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


BESIDE = {
    "NumPy scalar": np.float64(2.25),
    "NumPy integer": np.int64(3),
    "NumPy array": np.arange(3.0),
    "NumPy type": np.dtype("float32"),
    "arguments": argparse.Namespace(lr=1e-3, data=pathlib.Path("images")),
    "ordered": collections.OrderedDict(epoch=1),
    "default": collections.defaultdict(list, losses=[1.0]),
    "Windows path": pathlib.PureWindowsPath(r"C:\model"),
    "torch": (torch.float16, torch.device("cpu"), torch.Size([1])),
}


@pytest.mark.parametrize("archive", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("value", BESIDE.values(), ids=BESIDE)
def test_plain_data_beside_the_weights_is_read(tmp_path: Path, value: object, archive: bool) -> None:
    torch.save({"model": WEIGHTS, "extra": value}, tmp_path / "w.pt", _use_new_zipfile_serialization=archive)
    content = read(tmp_path / "w.pt")
    assert torch.equal(content["model"]["weight"], WEIGHTS["weight"])
    if isinstance(value, np.ndarray):
        assert np.array_equal(content["extra"], value)
    elif isinstance(value, argparse.Namespace):
        assert content["extra"].lr == value.lr
        assert str(content["extra"].data) == "images"
    else:
        assert content["extra"] == value


@pytest.mark.parametrize("archive", FORMATS.values(), ids=FORMATS)
def test_a_pickled_module_is_refused_with_the_line_that_saves_its_weights(tmp_path: Path, archive: bool) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pt", _use_new_zipfile_serialization=archive)
    message = refusal(tmp_path / "w.pt")
    assert "pickled module" in message
    assert "torch.nn.modules.linear.Linear" in message
    assert "torch.save(torch.load('w.pt', weights_only=False).state_dict(), 'weights.pt')" in message


@pytest.mark.parametrize("archive", FORMATS.values(), ids=FORMATS)
def test_what_else_is_in_a_file_is_named_and_not_run(tmp_path: Path, archive: bool) -> None:
    path = tmp_path / "w.pt"
    torch.save({"model": WEIGHTS, "state": random.Random(0)}, path, _use_new_zipfile_serialization=archive)
    assert "random.Random" in refusal(path)
    torch.save({"model": WEIGHTS, "state": Payload(tmp_path / "ran")}, path, _use_new_zipfile_serialization=archive)
    assert "touch" in refusal(path) or "getattr" in refusal(path)
    assert not (tmp_path / "ran").exists()


def test_one_flipped_bit_anywhere_in_an_archive_is_found(tmp_path: Path) -> None:
    """torch.load looks at no checksum: without our own look, most of these load with other weights."""
    path = tmp_path / "w.pt"
    torch.save(WEIGHTS, path)
    data = path.read_bytes()
    start = data.index(WEIGHTS["weight"].numpy().tobytes())
    for position in range(start, start + 8000, 571):
        damaged = bytearray(data)
        damaged[position] ^= 0x40
        path.write_bytes(damaged)
        assert "is damaged" in refusal(path)
    path.write_bytes(data)
    assert torch.equal(read(path)["weight"], WEIGHTS["weight"])


def test_safetensors_are_read_by_their_suffix(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert torch.equal(read(tmp_path / "w.safetensors")["weight"], WEIGHTS["weight"])
    (tmp_path / "w.safetensors").write_bytes(b"none")
    assert "safetensors" in refusal(tmp_path / "w.safetensors")


def test_a_pointer_of_git_lfs_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert "git lfs pull" in refusal(tmp_path / "w.pt")
