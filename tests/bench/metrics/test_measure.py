"""Numbers of a set of pictures: the same as the estimators', over all images and over the clean ones."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.frechet import frechet_distance
from bench.metrics.influence import estimate_paired
from bench.metrics.kernel import kernel_distance_paired
from bench.metrics.measure import ALL, CLEAN, FRECHET, KERNEL, Number, measure, reference_set
from bench.metrics.monge import monge_distance_paired
from bench.metrics.neighbours import support_scores
from bench.metrics.registry import MONGE
from bench.metrics.statistics import standard_error

N, D = 40, 12


@pytest.fixture
def features() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.standard_normal((N, D)).astype(np.float32)
    return truth, (truth + 0.5 * rng.standard_normal((N, D)) + 0.1).astype(np.float32)


def find(numbers: tuple[Number, ...], metric: str, subset: str) -> Number:
    (found,) = (n for n in numbers if (n.metric, n.subset) == (metric, subset))
    return found


def test_all_and_clean_images_are_measured_apart(features: tuple[np.ndarray, np.ndarray]) -> None:
    truth, made = features
    clean = np.arange(N) % 3 == 0
    copy_of = np.arange(N)
    numbers, influence = measure({"net": made}, {"error": made[:, 0]}, reference_set({"net": truth}, copy_of, clean))
    for subset, rows in ((ALL, slice(None)), (CLEAN, clean)):
        score = find(numbers, FRECHET, subset)
        assert score.value == pytest.approx(frechet_distance(made[rows], truth[rows]), rel=1e-10)
        assert score.se == pytest.approx(estimate_paired(made[rows], truth[rows]).se)
        assert score.n == len(truth[rows])
        kid = find(numbers, KERNEL, subset)
        assert kid.value == pytest.approx(kernel_distance_paired(made[rows], truth[rows]).value)
        parts = find(numbers, "frechet_mean_term", subset), find(numbers, "frechet_covariance_term", subset)
        assert parts[0].value + parts[1].value == pytest.approx(score.value)
        assert find(numbers, "error", subset).value == pytest.approx(made[rows, 0].mean(), rel=1e-5)
    assert standard_error(influence["net"]) == pytest.approx(find(numbers, FRECHET, ALL).se)


def test_exact_copies_count_as_one_image(features: tuple[np.ndarray, np.ndarray]) -> None:
    truth, made = (np.concatenate([part, part]) for part in features)
    once, _ = measure({"net": features[1]}, {}, reference_set({"net": features[0]}, np.arange(N), None))
    twice, _ = measure({"net": made}, {}, reference_set({"net": truth}, np.tile(np.arange(N), 2), None))
    errors = [find(numbers, FRECHET, ALL).se for numbers in (once, twice)]
    assert errors[1] == pytest.approx(errors[0], rel=0.05)  # without the groups it were smaller by the root of 2


def test_extra_metrics_are_measured_where_asked_for(features: tuple[np.ndarray, np.ndarray]) -> None:
    truth, made = features
    clean = np.arange(N) < 5
    by_extra = {}
    for extra in ((), ("mind",), ("mind", "prdc")):
        numbers, _ = measure({"net": made}, {}, reference_set({"net": truth}, np.arange(N), clean, extra))
        by_extra[extra] = {number.metric for number in numbers if number.subset == ALL}
    assert by_extra["mind",] - by_extra[()] == {MONGE}
    assert by_extra["mind", "prdc"] - by_extra["mind",] == {"precision", "recall", "density", "coverage"}
    assert find(numbers, MONGE, ALL).value == pytest.approx(monge_distance_paired(made, truth).value)
    assert find(numbers, MONGE, ALL).se == pytest.approx(monge_distance_paired(made, truth).se)
    assert find(numbers, "density", ALL).value == pytest.approx(support_scores(made, truth).density.mean())
    of_clean = {number.metric for number in numbers if number.subset == CLEAN}
    assert MONGE in of_clean
    assert "density" not in of_clean  # five images have no fifth neighbour


@pytest.mark.parametrize("clean", [None, np.ones(N, bool), np.zeros(N, bool), np.arange(N) < 2])
def test_no_clean_subset_where_there_is_nothing_to_set_apart(
    features: tuple[np.ndarray, np.ndarray], clean: np.ndarray | None
) -> None:
    truth, made = features
    numbers, _ = measure({"net": made}, {}, reference_set({"net": truth}, np.arange(N), clean))
    assert {number.subset for number in numbers} == {ALL}
