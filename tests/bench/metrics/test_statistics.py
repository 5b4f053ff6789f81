"""Standard errors, Holm and Clopper–Pearson against scipy, brute force and simulation; bad input."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.statistics import group_codes, holm, mean_and_se, standard_error
from maskgit.errors import InputError

finite = st.floats(-1e6, 1e6)
shares = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(st.lists(finite, min_size=2, max_size=30))
def test_mean_and_error_without_groups_are_the_textbook_ones(values: list[float]) -> None:
    mean, error = mean_and_se(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    assert error == pytest.approx(float(scipy.stats.sem(values)), rel=1e-9, abs=1e-9)


@given(st.lists(finite, min_size=2, max_size=20), st.integers(2, 5), st.randoms())
def test_copies_of_rows_are_no_evidence(values: list[float], copies: int, random: object) -> None:
    labels = [f"image {i}" for i in range(len(values))] * copies
    assert mean_and_se(values * copies, labels) == pytest.approx(mean_and_se(values), rel=1e-9, abs=1e-9)
    if len(values) >= 3:
        influence = np.array(values) - np.mean(values)
        again = standard_error(np.tile(influence, copies), labels)
        assert again == pytest.approx(standard_error(influence), rel=1e-9, abs=1e-9)


def test_grouped_error_of_a_mean_is_its_spread_over_data_sets() -> None:
    """Seeds of an image are alike; groups differ in size. 2,000 simulations give a spread to 1.6 % (4 σ: 6.4 %)."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 5, 80)
    groups = np.repeat(np.arange(80), sizes)
    results = [
        mean_and_se(rng.exponential(size=80)[groups] + rng.normal(size=len(groups)), groups) for _ in range(2000)
    ]
    means, errors = np.array(results).T
    assert 0.93 <= errors.mean() / means.std(ddof=1) <= 1.07


def test_error_of_an_influence_is_its_norm_over_n() -> None:
    influence = np.array([3.0, -4.0, 1.0, 0.0])
    assert standard_error(influence) == pytest.approx(np.sqrt(26) / 4, rel=1e-15)
    assert standard_error(influence, ["a", "b", "a", "c"]) == pytest.approx(np.sqrt(32) / 4, rel=1e-15)


def test_group_codes_number_equal_labels_alike() -> None:
    for labels in (["b", "a", "b"], [7, -1, 7], [0.5, 0.1, 0.5], np.array([True, False, True])):
        assert group_codes(labels, 3).tolist() == [1, 0, 1]
    assert group_codes(None, 3).tolist() == [0, 1, 2]


@given(shares)
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """A hypothesis falls only if every set of hypotheses that holds it falls, each by Bonferroni."""
    every = range(len(p_values))
    for i, adjusted in zip(every, holm(p_values), strict=True):
        sets = [s for size in range(1, len(p_values) + 1) for s in combinations(every, size) if i in s]
        assert adjusted == pytest.approx(max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in sets), rel=1e-14)


def test_holm_on_an_example_computed_by_hand_and_on_nothing() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=1e-14)
    assert holm([]).shape == (0,)


def test_bad_input_gives_one_line_and_no_number() -> None:
    for work, says in [
        (lambda: mean_and_se([]), "0 different images"),
        (lambda: mean_and_se([1.0]), "1 different images among 1 rows; a standard error needs at least 2"),
        (lambda: mean_and_se([1.0, 2.0], ["a", "a"]), "1 different images among 2 rows"),
        (lambda: mean_and_se([1.0, np.nan, 2.0]), "values: NaN or infinite in 1 of 3 rows, first in row 1"),
        (lambda: mean_and_se([[1.0, 2.0]]), "list of real numbers"),
        (lambda: mean_and_se(["a", "b"]), "list of real numbers"),
        (lambda: mean_and_se([1.0, 2.0], ["a"]), "one label for each of 2 rows"),
        (lambda: mean_and_se([1.0, 2.0], [0.0, np.nan]), "no label in row 1"),
        (lambda: standard_error([1.0, -1.0]), "2 different images among 2 rows; a standard error needs at least 3"),
        (lambda: standard_error([1.0, -np.inf, 0.0]), "influence: NaN or infinite"),
        (lambda: holm([0.1, 1.1]), "from 0 to 1"),
        (lambda: holm([0.1, np.nan]), "NaN"),
    ]:
        with pytest.raises(InputError, match=says) as error:
            work()
        assert "\n" not in str(error.value)
