"""Gamma functions fall from 1 to 0, and tokens are counted in float32."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskgit.errors import InputError
from maskgit.schedules import SCHEDULES, masked_count, schedule

ALL = (*SCHEDULES, "power:0.3", "power:1.7", "power:6", "table:1,0", "table:1,0.9,0.9,0.2,0")
HOLES = np.array([0, 1, 2, 3, 10, 77, 256, 1024])

names = st.sampled_from(ALL)
ratios = st.floats(0.0, 1.0)


@settings(max_examples=50, deadline=None)
@given(names, ratios, ratios)
def test_falls_monotonically_within_0_and_1(name: str, a: float, b: float) -> None:
    early, late = (schedule(name)(r, HOLES) for r in sorted((a, b)))
    assert early.shape == late.shape == HOLES.shape
    assert early.dtype == late.dtype == np.float64
    assert (early >= late).all()
    assert (late >= 0.0).all()
    assert (early <= 1.0).all()


@pytest.mark.parametrize("name", ALL)
def test_ends_are_1_and_0(name: str) -> None:
    start = 1.0 - 1.0 / np.maximum(HOLES, 1) if name == "exponential" else np.ones(len(HOLES))
    np.testing.assert_allclose(schedule(name)(0.0, HOLES), start, rtol=0, atol=1e-15)
    np.testing.assert_allclose(schedule(name)(1.0, HOLES), 0.0, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "ratio", "holes", "value"),
    [
        ("linear", 0.25, 256, 0.75),
        ("cosine", 1 / 3, 256, math.sqrt(3) / 2),
        ("square", 0.25, 256, 15 / 16),
        ("cubic", 0.5, 256, 7 / 8),
        ("sqrt", 0.25, 256, 1 / 2),
        ("arccos", 0.5, 256, 2 / 3),
        ("logarithmic", 1 / 16, 256, 1 / 2),
        ("logarithmic", 1 / 2, 64, 1 / 6),
        ("logarithmic", 1 / 512, 256, 1.0),
        ("exponential", 0.5, 256, 15 / 16),
        ("exponential", 0.75, 16, 1 / 2),
        ("power:1.5", 0.25, 256, 7 / 8),
        ("table:1,0.8,0.4,0", 1 / 3, 256, 0.8),
        ("table:1,0.8,0.4,0", 1 / 2, 256, 0.6),
    ],
)
def test_known_values(name: str, ratio: float, holes: int, value: float) -> None:
    np.testing.assert_allclose(schedule(name)(ratio, np.array([holes])), [value], rtol=1e-14)


@settings(max_examples=50, deadline=None)
@given(ratios)
def test_powers_have_names(r: float) -> None:
    for name, k in (("linear", 1), ("square", 2), ("cubic", 3), ("sqrt", 0.5)):
        assert (schedule(name)(r, HOLES) == schedule(f"power:{k}")(r, HOLES)).all()


@settings(max_examples=50, deadline=None)
@given(names, st.integers(1, 40))
def test_counts_fall_to_none_within_the_hole(name: str, total_iter: int) -> None:
    counts = np.stack([masked_count(schedule(name), t / total_iter, HOLES) for t in range(1, total_iter + 1)])
    assert counts.dtype == np.int64
    assert (np.diff(counts, axis=0) <= 0).all()
    assert (counts >= 0).all()
    assert (counts <= HOLES).all()
    assert (counts[-1] == 0).all()


def test_product_is_taken_in_float32() -> None:
    # 1 - 0.9 is 0.09999999999999998: ten of it are 1 in float32 and 0.9999999999999998 in float64.
    assert math.floor((1.0 - 0.9) * 10) == 0
    assert masked_count(schedule("linear"), 0.9, np.array([10])).tolist() == [1]
    # And the other way: float32(0.9) is below 0.9 by 2e-8, but the product rounds back to 9.
    assert masked_count(schedule("linear"), 0.1, np.array([10])).tolist() == [9]
    # 1 - 2/3 of 3 and of 300; 1 - 0.7 of 10 is 3.0000000000000004 and 3.
    assert masked_count(schedule("linear"), 2 / 3, np.array([3, 300])).tolist() == [1, 100]
    assert masked_count(schedule("linear"), 0.7, np.array([10, 100, 1000])).tolist() == [3, 30, 300]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(["linear", "cosine", "square", "cubic", "sqrt", "arccos"]), ratios, st.integers(0, 1024))
def test_count_is_that_of_a_torch_scalar_times_an_integer_tensor(name: str, ratio: float, holes: int) -> None:
    import torch

    gamma = float(schedule(name)(ratio, np.array([holes]))[0])
    assert masked_count(schedule(name), ratio, np.array([holes])).tolist() == [
        int(torch.floor(gamma * torch.tensor([holes]))[0])
    ]


@pytest.mark.parametrize(
    "name", ["cosin", "", "power", "power:", "power:0", "power:-1", "power:nan", "power:inf", "power:x"]
)
def test_an_unknown_name_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError) as error:
        schedule(name)
    message = str(error.value)
    assert repr(name) in message
    assert "\n" not in message
    assert "power:2.5" in message or all(known in message for known in (*SCHEDULES, "table:1"))


@pytest.mark.parametrize("numbers", ["", "1", "0,0.3,1", "1,0.5", "0.9,0", "1,0.2,0.3,0", "1,nan,0", "1,x,0", "1,,0"])
def test_a_table_that_does_not_fall_from_1_to_0_is_refused(numbers: str) -> None:
    with pytest.raises(InputError, match=f"^gamma = 'table:{numbers}': .*"):
        schedule(f"table:{numbers}")


def test_a_table_of_a_function_is_that_function_between_its_points() -> None:
    values = ",".join(str(1 - (i / 20) ** 2) for i in range(21))
    for r in np.linspace(0, 1, 37):
        np.testing.assert_allclose(schedule(f"table:{values}")(r, HOLES), schedule("square")(r, HOLES), atol=1 / 1600)


def test_needs_no_torch() -> None:
    code = "import sys, maskgit.schedules; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
