from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench.document.model import Section
from bench.gate.comparable import Pair
from bench.gate.contrast import Contrast
from bench.gate.decision import count_permutations, decide
from bench.gate.document import gate_document
from bench.gate.limits import Floors
from bench.gate.outcome import BETTER, FAIL, INCONCLUSIVE, NOTED, PASS, SUSPICIOUS, WARN, CellOutcome, GateOutcome
from bench.gate.swap import SwapTest
from bench.gate.verdict import Evidence, judge
from bench.grid.sections import GateSection, Tier
from bench.metrics.frechet import frechet_distance
from bench.metrics.statistics import holm
from maskgit.errors import InputError

from .conftest import MakeSide, N
from .sides import a_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results.finished_run import FinishedRun

SPOTS = (1, 2, 4, 8)


def gate(candidate: FinishedRun, baseline: FinishedRun, **rules: Any) -> GateOutcome:
    return decide(candidate, baseline, GateSection(**rules), "the test")


def measured(change: float, p: float = 1.0, se: float = 0.05, identical: bool = False) -> Contrast:
    """A score that changes from 10 to 10 (1 + change)."""
    test = SwapTest(p, 1, 999, 16, 10 * change, 0.0)
    return Contrast(10.0, 10.0 * (1 + change), se, test, identical)


def judged(
    change: float,
    p: float = 1.0,
    ratio: float | None = 1.0,
    floor: float | None = None,
    tier: Tier | None = None,
    p_better: float = 1.0,
    se: float = 0.05,
    **rules: Any,
) -> CellOutcome:
    """The outcome of a cell whose score changes from 10 to 10 (1 + change); p is after Holm's correction."""
    floors = None if floor is None else Floors(floor, floor)
    evidence = Evidence(measured(change, p, se), p, p_better, 1, ratio, floors, same_weights=False)
    return judge(Pair("a cell", {}, (), (), tier), evidence, GateSection(**rules))


def verdict(change: float, p: float = 1.0, **given: Any) -> tuple[str, str]:
    """Verdict and reasons of such a cell."""
    outcome = judged(change, p, **given)
    return outcome.verdict, "; ".join(outcome.reasons)


@pytest.mark.parametrize(
    ("change", "p", "expected"),
    [
        (0.02, 0.01, FAIL),  # worse, significant, beyond the tolerance of 1 %
        (0.02, 0.05, FAIL),  # at α exactly
        (0.02, 0.051, INCONCLUSIVE),
        (0.009, 0.001, NOTED),
        (0.009, 0.3, PASS),
        (0.0, 1.0, PASS),
        (-0.1, 1.0, PASS),
        (-0.25, 1.0, SUSPICIOUS),
    ],
)
def test_the_estimate_against_the_tolerance_gives_the_verdicts_of_earlier_versions(
    change: float, p: float, expected: str
) -> None:
    given, reasons = verdict(change, p, tolerance_test="estimate")
    assert given == expected
    assert bool(reasons) == (expected != PASS)


@pytest.mark.parametrize(
    ("change", "p", "expected"),
    [
        (0.02, 0.01, FAIL),
        (0.02, 0.051, INCONCLUSIVE),
        (0.009, 0.001, WARN),  # 0.09 + 1.645 · 0.05 is beyond the tolerance of 0.1
        (0.001, 0.001, NOTED),
        (0.0017, 0.3, PASS),  # 0.017 + 0.0822 < 0.1
        (0.0018, 0.3, INCONCLUSIVE),
        (-0.1, 1.0, PASS),
        (-0.25, 1.0, SUSPICIOUS),
    ],
)
def test_a_pass_excludes_a_rise_beyond_tolerance(change: float, p: float, expected: str) -> None:
    given, reasons = verdict(change, p)
    assert given == expected
    assert bool(reasons) == (expected != PASS)


def test_a_candidate_worse_by_the_tolerance_passes_with_probability_alpha() -> None:
    rises = 0.1 + 0.05 * np.random.default_rng(1).standard_normal(4000)
    passed = np.mean([verdict(rise / 10)[0] == PASS for rise in rises])
    assert passed == pytest.approx(0.05, abs=0.012)


def test_an_equal_candidate_keeps_the_needed_tolerance_four_times_in_five() -> None:
    needed = judged(0.0).needed_tolerance
    rises = 0.05 * np.random.default_rng(2).standard_normal(4000)
    passed = np.mean([verdict(rise / 10, tolerance_absolute=needed)[0] == PASS for rise in rises])
    assert passed == pytest.approx(0.8, abs=0.025)


def test_true_tokens_do_not_pass_without_a_remark() -> None:
    """On real faces the floor is 3.5 % below the score: a share of the score cannot tell it from a small improvement."""
    assert verdict(-0.035, p_better=0.001, suspicious=0.2)[0] == BETTER
    given, reasons = verdict(-0.035, p_better=0.001, floor=9.65)
    assert given == SUSPICIOUS
    assert "100.0 % of the excess" in reasons
    assert verdict(-0.012, p_better=0.001, floor=9.65)[0] == BETTER


def test_the_tolerance_is_a_share_of_the_excess_where_the_floor_is_known() -> None:
    assert judged(0.0, floor=6.0).tolerance == pytest.approx(0.4)
    assert judged(0.0, floor=6.0, tolerance=0.02).tolerance == pytest.approx(0.2)
    assert judged(0.0, floor=6.0, tolerance_excess=0.2).tolerance == pytest.approx(0.8)
    assert judged(0.0, floor=6.0, tolerance_excess=0.2, tolerance_absolute=0.3).tolerance == pytest.approx(0.3)
    for unknown, reason in ((None, "no rFID floor on both sides"), (10.5, "the score is not above the rFID floor")):
        outcome = judged(0.0, floor=unknown, tolerance_excess=0.2)
        assert outcome.tolerance == pytest.approx(0.1)
        assert outcome.tolerance_basis == f"1.0 % of the score ({reason})"


def test_a_tier_decides_what_a_regression_does() -> None:
    expected = {"critical": FAIL, "supporting": WARN, "advisory": NOTED}
    for tier, verdict_of in expected.items():
        assert judged(0.05, 0.001, tier=Tier(tier=tier)).verdict == verdict_of
        assert judged(0.0, max_score=9.0, tier=Tier(tier=tier)).verdict == verdict_of if tier != "advisory" else True
    loose = Tier(tier="critical", tolerance=0.1)
    assert judged(0.05, 0.001, tier=loose).verdict == NOTED
    assert judged(0.0, tier=Tier(tier="critical", max_score=9.0)).verdict == FAIL


def test_hard_limits_fail_whatever_the_test_says() -> None:
    assert verdict(-0.01, max_score=9.8) == (FAIL, "score 9.900 above max_score 9.8")
    assert verdict(-0.5, max_score=9.9)[0] == SUSPICIOUS
    given, reasons = verdict(-0.01, ratio=0.79, min_throughput_ratio=0.8)
    assert given == FAIL
    assert "speed 0.790" in reasons
    assert verdict(-0.01, ratio=0.8, min_throughput_ratio=0.8)[0] == PASS


def test_a_fall_within_chance_is_not_suspicious() -> None:
    assert verdict(-0.25, se=5.0)[0] == INCONCLUSIVE
    assert verdict(-0.25, se=1.56)[0] == PASS


def test_more_swaps_are_drawn_the_more_cells_share_alpha() -> None:
    assert count_permutations(GateSection(), 1) == 999
    for n_cells in (4, 20, 90):
        count = count_permutations(GateSection(), n_cells)
        assert (1 + 19) / (count + 1) <= 0.05 / n_cells  # 19 swaps may reach the observed value, and it still fails
    assert count_permutations(GateSection(permutations=199), 4) == 199
    with pytest.raises(InputError, match=r"with 20 cells at alpha 0\.05 no cell could ever fail; give at least 399"):
        count_permutations(GateSection(permutations=199), 20)
    assert count_permutations(GateSection(alpha=1e-4), 90) == 1_000_000, "as many as memory is meant to hold"


@pytest.fixture
def grid(numbers: Callable[..., np.ndarray]) -> Callable[..., dict]:
    """Cells of four sweet spots, with one noise level each."""

    def make(*noises: float, seed: int = 0, seeds: tuple[int, ...] = (0,)) -> dict:
        return {
            a_cell(spot, seed=cell_seed): numbers(noise, seed=100 * seed + 10 * cell_seed + spot)
            for spot, noise in zip(SPOTS, noises, strict=True)
            for cell_seed in seeds
        }

    return make


def test_equal_sides_pass_without_a_test(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    features = grid(0.5, 0.5, 0.5, 0.5)
    sides = [make_side(name, features, numbers()) for name in ("new", "base")]
    outcome = gate(*sides, tolerance=0.0)
    assert not outcome.failed
    for cell in outcome.cells:
        assert (cell.difference, cell.se, cell.z, cell.p, cell.p_swap) == (0, 0, 0, 0.5, None)
        assert cell.verdict == SUSPICIOUS  # other weights, and yet not one number differs
        assert "is the run stale" in cell.reasons[0]


def test_only_the_worse_cell_fails(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(0.5, 0.5, 0.5, 0.5), numbers())
    outcome = gate(make_side("new", grid(0.5, 0.5, 1.0, 0.5, seed=1), numbers()), baseline)
    assert [cell.verdict == FAIL for cell in outcome.cells] == [False, False, True, False]
    assert outcome.failed
    worse = outcome.cells[2]
    assert worse.evaluated >= 16  # no z, however large, fails a cell
    assert worse.candidate_score == pytest.approx(frechet_distance(numbers(1.0, seed=104), numbers()))
    assert "worse by" in worse.reasons[0]


def test_p_values_are_corrected_over_all_cells(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(0.5, 0.5, 0.5, 0.5), numbers())
    candidate = make_side("new", grid(0.62, 0.5, 0.7, 0.6, seed=1), numbers())
    cells = gate(candidate, baseline).cells
    assert [cell.p_holm for cell in cells] == holm([cell.p for cell in cells]).tolist()
    assert sum(cell.p_swap is not None for cell in cells) >= 2


def test_both_tests_must_agree(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(0.5, 0.5, 0.5, 0.5), numbers())
    for cell in gate(make_side("new", grid(0.62, 0.5, 0.7, 0.6, seed=1), numbers()), baseline).cells:
        p_z = NormalDist().cdf(-cell.z)
        assert cell.p == max(cell.p_swap or 0.0, p_z)
        assert (cell.p_swap is None) == (p_z > 0.05)


def test_exchanging_the_sides_mirrors_the_decision(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    one = make_side("one", grid(0.5, 0.5, 0.5, 0.5), numbers())
    other = make_side("other", grid(0.5, 1.0, 0.55, 0.3, seed=1), numbers())
    forward, backward = gate(one, other), gate(other, one)
    for there, back in zip(forward.cells, backward.cells, strict=True):
        assert there.difference == pytest.approx(-back.difference, rel=1e-9)
        assert there.se == pytest.approx(back.se, rel=1e-9)
        assert {there.verdict, back.verdict} != {FAIL}
    assert [cell.verdict == FAIL for cell in backward.cells] == [False, True, False, False]


def test_the_order_of_rows_changes_nothing(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    before, after = grid(0.5, 0.5, 0.5, 0.5), grid(0.5, 0.7, 0.6, 0.5, seed=1)
    straight = gate(make_side("new", after, numbers()), make_side("base", before, numbers()))
    shuffled = gate(make_side("new2", after, numbers(), order=1), make_side("base2", before, numbers(), order=2))
    by_name = {cell.name: cell for cell in shuffled.cells}
    for cell in straight.cells:
        assert by_name[cell.name] == cell


def test_half_precision_gives_the_same_decision(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    before, after = grid(0.5, 0.5, 0.5, 0.5), grid(0.5, 0.6, 0.7, 0.55, seed=1)
    candidate = make_side("new", after, numbers())
    whole = gate(candidate, make_side("base", before, numbers()))
    half = gate(candidate, make_side("half", before, numbers(), dtype=np.float16))
    for exact, rounded in zip(whole.cells, half.cells, strict=True):
        assert rounded.verdict == exact.verdict
        assert rounded.difference == pytest.approx(exact.difference, abs=0.02 * exact.se)
        assert (rounded.p_swap is None) == (exact.p_swap is None)
        assert rounded.p == pytest.approx(exact.p, rel=0.1)


def test_a_run_equals_its_own_half_precision_baseline(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    features = grid(0.5, 0.5, 0.5, 0.5)
    outcome = gate(
        make_side("new", features, numbers()),
        make_side("half", features, numbers(), dtype=np.float16),
        tolerance=0.0,
    )
    assert {cell.difference for cell in outcome.cells} == {0.0}


def test_seeds_are_averaged_and_copies_are_one_image(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    before, after = grid(0.5, 0.5, 0.5, 0.5, seeds=(0, 1)), grid(0.5, 0.8, 0.5, 0.5, seed=1, seeds=(0, 1))
    copies = [i - i % 2 for i in range(N)]
    apart = gate(make_side("new", after, numbers()), make_side("base", before, numbers()))
    sides = [make_side(name, rows, numbers(), copy_of=copies) for name, rows in (("new2", after), ("base2", before))]
    together = gate(*sides)
    assert [cell.seeds for cell in apart.cells] == [(0, 1)] * 4
    assert (apart.n_distinct, together.n_distinct) == (N, N // 2)
    cell = apart.cells[1]
    scores = [frechet_distance(rows, numbers()) for which, rows in after.items() if which.sweet_spot == 2]
    assert cell.candidate_score == pytest.approx(np.mean(scores))
    assert together.cells[1].difference == pytest.approx(cell.difference)
    assert together.cells[1].se != pytest.approx(cell.se)


def test_speed_is_compared_relative_to_the_machine(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(0.5, 0.5, 0.5, 0.5), numbers())
    slow_machine = {"throughput": {"reference_ms": 40.0}}
    half_speed = make_side("new", grid(0.5, 0.5, 0.5, 0.5), numbers(), images_per_s=5.0, record=slow_machine)
    assert gate(half_speed, baseline).cells[0].throughput_ratio == pytest.approx(1.0)
    slow_code = make_side("slow", grid(0.5, 0.5, 0.5, 0.5), numbers(), images_per_s=5.0)
    outcome = gate(slow_code, baseline, min_throughput_ratio=0.9)
    assert {cell.verdict for cell in outcome.cells} == {FAIL}


def test_inconclusive_cells_fail_only_where_they_are_to(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(0.5, 0.5, 0.5, 0.5), numbers())
    candidate = make_side("new", grid(0.5, 0.5, 0.5, 0.5, seed=3), numbers())
    outcome = gate(candidate, baseline, tolerance=0.0)
    assert INCONCLUSIVE in {cell.verdict for cell in outcome.cells}
    assert (outcome.verdict, outcome.exit_code) == ("passed", 0)
    strict = gate(candidate, baseline, tolerance=0.0, inconclusive="fail")
    assert (strict.verdict, strict.exit_code) == ("failed", 1)
    honest = gate(candidate, baseline, tolerance=0.0, inconclusive="exit")
    assert (honest.verdict, honest.exit_code) == ("inconclusive", 5)
    advisory = gate(candidate, baseline, tolerance=0.0, inconclusive="exit", tiers=[{"tier": "advisory"}])
    assert advisory.exit_code == 0


def test_tiers_are_named_by_cells_and_corrected_apart(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(0.5, 0.5, 0.5, 0.5), numbers())
    candidate = make_side("new", grid(0.5, 0.5, 1.0, 0.5), numbers())
    plain = gate(candidate, baseline)
    tiers = [
        {"tier": "supporting", "cells": [{"sweet_spot": 4}]},
        {"tier": "advisory", "cells": [{"sweet_spot": [2, 4]}]},
    ]
    outcome = gate(candidate, baseline, tiers=tiers)
    assert [cell.tier for cell in outcome.cells] == ["critical", "advisory", "supporting", "critical"]
    assert plain.cells[2].verdict == FAIL
    assert outcome.cells[2].verdict == WARN
    assert not outcome.failed
    assert outcome.cells[2].p_holm == outcome.cells[2].p
    assert outcome.cells[0].p_holm <= plain.cells[0].p_holm
    with pytest.raises(InputError, match=r"gate\.tiers\.cells: nonsense names no cell"):
        gate(candidate, baseline, tiers=[{"tier": "advisory", "cells": "nonsense"}])


def test_a_better_candidate_is_called_better(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    baseline = make_side("base", grid(1.0, 1.0, 1.0, 1.0), numbers())
    outcome = gate(make_side("new", grid(0.5, 1.0, 0.5, 1.0), numbers()), baseline, suspicious=0.99)
    assert [cell.verdict for cell in outcome.cells][::2] == [BETTER, BETTER]


def test_the_floor_is_read_where_both_sides_have_it(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    before, after = grid(0.5, 0.5, 0.5, 0.5), grid(0.5, 0.5, 0.5, 0.5, seed=1)
    baseline = make_side("base", before, numbers(), floor=0.2)
    outcome = gate(make_side("new", after, numbers(), floor=0.2), baseline)
    for cell in outcome.cells:
        assert cell.floor == cell.candidate_floor == 0.2
        assert cell.tolerance == pytest.approx(0.1 * (cell.baseline_score - 0.2))
    without = gate(make_side("without", after, numbers()), baseline)
    assert {cell.floor for cell in without.cells} == {None}
    assert "no rFID floor on both sides" in without.cells[0].tolerance_basis


def test_the_smallest_detectable_rise_is_found_four_times_in_five_if_its_error_is_known() -> None:
    """Gaussian differences of that size and with known error pass the corrected level with probability 0.8."""
    evidence = Evidence(measured(0.0, se=0.5), 1.0, 1.0, 4, None, None, same_weights=True)
    outcome = judge(Pair("", {}, (), ()), evidence, GateSection())
    rises = outcome.detectable + 0.5 * np.random.default_rng(0).standard_normal(20_000)
    assert (rises / 0.5 > 2.2414).mean() == pytest.approx(0.8, abs=0.01)  # 2.2414: one-sided 1.25 % of a Gaussian


def test_the_images_that_changed_most_are_named(make_side: MakeSide, grid: Callable, numbers: Callable) -> None:
    before = grid(0.5, 0.5, 0.5, 0.5)
    after = {cell: rows.copy() for cell, rows in before.items()}
    broken = list(after)[2]
    after[broken][[7, 11]] += 3.0  # two images are ruined
    ids = [100 + i for i in range(N)]
    sides = [make_side(name, rows, numbers(), image_ids=ids) for name, rows in (("new", after), ("base", before))]
    outcome = gate(*sides)
    changed = outcome.cells[2].changed
    assert {image.image_id for image in changed[:2]} == {107, 111}
    assert all(image.contribution > 0 for image in changed[:2])
    assert [abs(image.contribution) for image in changed] == sorted(
        (abs(i.contribution) for i in changed), reverse=True
    )
    assert outcome.cells[0].changed == ()  # nothing differs
    (section,) = (part for part in gate_document(outcome).parts if isinstance(part, Section))
    assert "107 (+" in str(section)
