"""Gamma functions of the user's own: checked like any other, taken by their values."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import maskgit
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError
from maskgit.own_schedules import from_text, load_gamma, to_text, values_at
from maskgit.rules import Rule
from maskgit.schedules import SCHEDULES, masked_count, sampled, schedule

if TYPE_CHECKING:
    from pathlib import Path

HOLES = np.array([0, 1, 3, 77, 256])
GAMMAS = """
import math
import numpy as np
from beside import EDGE

def cosine(r): return np.cos(r * np.pi / 2)
def math_cosine(r): return math.cos(r * math.pi / 2)
def clipped(r): return (1 - r).clip(0, EDGE)
def array(r): return np.array(1 - r)
def starts_low(r): return 0.9 * (1 - r)
def ends_high(r): return 1 - 0.5 * r
def rises(r): return abs(1 - 2 * r) if r < 1 else 0
def beyond(r): return 1 - r + (0.5 if 0 < r < 0.1 else 0)
def no_number(r): return "1"[5:] or None
def nan(r): return float("nan")
def fails(r): return {}["r"]
def two(r, N): return 1 - r
value = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "gammas.py").write_text(GAMMAS)
    (folder / "beside.py").write_text("EDGE = 1.0")
    return folder


@pytest.mark.parametrize("name", ["cosine", "math_cosine"])
@pytest.mark.parametrize("total_iter", [1, 7, 12, 49])
def test_the_same_function_leaves_as_many_tokens_masked_as_the_built_in_one(
    folder: Path, name: str, total_iter: int
) -> None:
    text = f"python:./gammas.py:{name}"
    own = sampled(values_at(load_gamma(text, folder), total_iter, text))
    for step in range(1, total_iter + 1):
        ours, theirs = (masked_count(gamma, step / total_iter, HOLES) for gamma in (own, schedule("cosine")))
        assert ours.tolist() == theirs.tolist()


@given(st.sampled_from([name for name in SCHEDULES if name != "exponential"]), st.integers(1, 60))
def test_values_are_exact_at_every_step_also_through_text(name: str, total_iter: int) -> None:
    gamma, hole = schedule(name), np.array([256])
    values = values_at(lambda r: gamma(float(r), hole)[0], total_iter, name)
    read = from_text(to_text(values))
    for step in range(1, total_iter + 1):
        assert read(step / total_iter, HOLES).tolist() == [min(max(gamma(step / total_iter, hole)[0], 0.0), 1.0)] * 5


@pytest.mark.parametrize("name", ["clipped", "array"])
def test_methods_and_arrays_of_numpy_are_taken(folder: Path, name: str) -> None:
    assert values_at(load_gamma(f"python:./gammas.py:{name}", folder), 4, name) == (1.0, 0.75, 0.5, 0.25, 0.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("starts_low", r"γ\(0\) = 0.9, must be 1"),
        ("ends_high", r"γ\(1\) = 0.5, must be 0"),
        ("rises", "γ rises from"),
        ("beyond", "is not in"),
        ("no_number", "is a NoneType, not one number"),
        ("nan", "= nan is not in"),
        ("fails", r"γ\(0\) failed: KeyError"),
        ("two", "TypeError"),
        ("value", "has no class or function value"),
        ("absent", "has no class or function absent"),
    ],
)
def test_what_is_no_gamma_function_is_refused_in_one_line(folder: Path, name: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as error:
        load_gamma(f"python:./gammas.py:{name}", folder)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["python:./gone.py:f", "python:./gammas.py", "python:gone:f", "python:"])
def test_a_file_that_is_not_there_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"^gamma = '"):
        load_gamma(text, folder)


def test_inpaint_takes_a_function_and_a_name(
    folder: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_set = catfaces_test_set(3)
    images, holes = torch.from_numpy(test_set.truth), torch.from_numpy(test_set.hole)
    model = maskgit.load_model(tiny_checkpoint, "cpu")
    monkeypatch.chdir(folder)
    rule = Rule(sampling_temperature=20.0)  # the tiny model is too sure to draw different codes in different steps
    gammas = ("cosine", lambda r: math.cos(r * math.pi / 2), f"python:.{os.sep}gammas.py:cosine", "linear")
    named, function, own, linear = (
        maskgit.inpaint(model, images, holes, gamma=gamma, total_iter=4, sweet_spot=3, rule=rule, tile=3)
        for gamma in gammas
    )
    assert torch.equal(named, function)
    assert torch.equal(named, own)
    assert not torch.equal(named, linear)
    with pytest.raises(InputError, match="γ rises"):
        maskgit.inpaint(model, images, holes, gamma=lambda r: (1 - 2 * r) ** 2 if r < 1 else 0.0, total_iter=4)
