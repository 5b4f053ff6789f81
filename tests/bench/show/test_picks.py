from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.show.picks import asked_images, joined, typical_images, worst_images
from maskgit.errors import InputError

IDS = [3, 5, 8, 10, 11, 20, 21, 22]


@pytest.fixture
def numbers() -> pd.DataFrame:
    error = [4.0, 9.0, 9.0, 1.0, 2.0, 7.0, 3.0, 5.0]
    influence = [0.5, -9.0, 3.0, 2.0, -1.0, 0.0, 3.0, 1.0]
    return pd.DataFrame({"mae_hole": error, "influence": influence}, index=pd.Index(IDS, name="image_id"))


def test_the_worst_come_first_and_of_equal_ones_the_smaller_id(numbers: pd.DataFrame) -> None:
    assert worst_images(numbers, 3).ids == (5, 8, 20)
    assert worst_images(numbers, 3, "influence").ids == (8, 21, 10)  # those that push the score down do not count
    assert worst_images(numbers, 99).ids[-1] == 10
    assert worst_images(numbers, 2).tag != worst_images(numbers, 2, "influence").tag


def test_an_unknown_order_is_refused_with_the_known_ones(numbers: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="--by size: unknown; choose one of error, influence"):
        worst_images(numbers, 3, "size")


def test_typical_images_stand_in_the_middle_of_each_quarter(numbers: pd.DataFrame) -> None:
    ranked = numbers.sort_values("mae_hole", kind="stable").index.tolist()
    assert list(typical_images(numbers, 4).ids) == [ranked[1], ranked[3], ranked[5], ranked[7]]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("n", [3, 4, 7, 256])
def test_typical_images_are_few_distinct_and_sorted(count: int, n: int) -> None:
    error = np.random.default_rng(n).permutation(n).astype(float)
    numbers = pd.DataFrame({"mae_hole": error}, index=np.arange(n))
    ids = typical_images(numbers, count).ids
    assert len(ids) == min(count, n)
    assert (np.diff(error[list(ids)]) > 0).all()
    assert typical_images(numbers.iloc[::-1], count).ids == ids


def test_asked_images_keep_their_order_and_stand_once(numbers: pd.DataFrame) -> None:
    assert asked_images(numbers, [20, 3, 20]).ids == (20, 3)
    with pytest.raises(InputError, match="--image 4: no such image; the run has 8, give an id from 3 to 22"):
        asked_images(numbers, [3, 4])


def test_many_names_make_a_short_name() -> None:
    assert joined([1, 2], 3) == "1-2"
    assert joined([1, 2, 3, 4, 5], 3) == "1-2-3-and-2-more"
