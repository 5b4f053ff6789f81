"""Comparable sides: each relevant difference is refused in one line that names it, with both values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench.errors import EXIT_NOT_COMPARABLE, NotComparableError, exit_code
from bench.gate.comparable import extra_cells, pair_cells
from bench.gate.decision import decide
from bench.grid.axes import Axes
from bench.grid.sections import GateSection
from maskgit.errors import InputError

from .conftest import MakeSide, N
from .sides import a_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results.finished_run import FinishedRun

FEATURES = {"name": "numbers", "label": "FD", "dim": 6, "verified": True, "fingerprint": "numbers:1"}


@pytest.fixture
def sides(make_side: MakeSide, numbers: Callable[..., np.ndarray]) -> Callable[..., tuple[FinishedRun, FinishedRun]]:
    """A changed candidate, and a baseline."""

    def make(**changes: Any) -> tuple[FinishedRun, FinishedRun]:
        features = changes.pop("features", {a_cell(): numbers(0.5)})
        truth = changes.pop("truth", numbers())
        baseline = make_side("base", {a_cell(): numbers(0.5), **changes.pop("more", {})}, numbers())
        return make_side("new", features, truth, **changes), baseline

    return make


def refusal(candidate: FinishedRun, baseline: FinishedRun) -> str:
    with pytest.raises(NotComparableError) as caught:
        decide(candidate, baseline, GateSection(), "the test")
    message = str(caught.value)
    assert "\n" not in message
    assert str(candidate.path) in message
    assert exit_code(caught.value) == EXIT_NOT_COMPARABLE == 3
    return message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"image_ids": [*range(N - 2), 98, 99]}, ["2 images (98, 99) only in the candidate", "2 images (38, 39) only in"]),
        ({"digests": {"mask_sha256": {3: "f" * 64, 8: "e" * 64}}}, ["another mask for 2 images (3, 8)", "ffffffff…"]),
        ({"digests": {"pixels_sha256": {5: "f" * 64}}}, ["another masked image for 1 image (5)", "p0000000… for 5"]),
        ({"digests": {"truth_sha256": dict.fromkeys(range(9), "0")}}, ["another original for 9 images", "and 4 more"]),
        ({"record": {"features": [{**FEATURES, "name": "inception"}]}}, ["extractor name inception", "numbers in the"]),
        ({"record": {"features": [{**FEATURES, "fingerprint": "2"}]}}, ["extractor fingerprint 2", "numbers:1 in the"]),
        ({"record": {"metrics": {"version": 9, "quantisation": "uint8-round-half-up"}}}, ["metrics.version 9 in", "1 in"]),
        ({"record": {"metrics": {"version": 1, "quantisation": "float"}}}, ["metrics.quantisation float", "uint8-round"]),
        ({"record": {"metrics": {}}}, ["metrics.version not recorded in the candidate"]),
    ],
)  # fmt: skip
def test_a_difference_is_named_with_both_values(sides: Callable, changes: dict, named: list[str]) -> None:
    message = refusal(*sides(**changes))
    for text in named:
        assert text in message


def test_a_changed_mask_is_not_also_a_changed_image(sides: Callable) -> None:
    message = refusal(*sides(digests={"mask_sha256": {3: "f"}, "pixels_sha256": {3: "e"}}))
    assert "masked image" not in message


def test_every_difference_is_named_at_once(sides: Callable) -> None:
    message = refusal(*sides(digests={"mask_sha256": {3: "f"}}, record={"metrics": {}}))
    assert "another mask" in message
    assert "metrics.version" in message


def test_a_missing_cell_is_named_by_its_distinguishing_settings(sides: Callable, numbers: Callable) -> None:
    message = refusal(*sides(more={a_cell(4): numbers(0.5), a_cell(8, choice_temperature=1.0): numbers(0.5)}))
    assert "2 baseline cells" in message
    assert "cosine · T 8 · s 4 · choice_temperature 4.5" in message
    assert "cosine · T 8 · s 8 · choice_temperature 1" in message


def test_other_seeds_are_refused(sides: Callable, numbers: Callable) -> None:
    features = {a_cell(seed=seed): numbers(0.5, seed) for seed in (0, 1)}
    assert "seeds 0, 1 in the candidate, 0 in the baseline" in refusal(*sides(features=features))


def test_an_extractor_that_sees_other_originals_is_refused(sides: Callable, numbers: Callable) -> None:
    assert "features of the same originals differ by 10.0 %" in refusal(*sides(truth=numbers() * np.float32(1.1)))


def test_speed_needs_the_reference_workload_of_both_runs(sides: Callable) -> None:
    candidate, baseline = sides(record={"throughput": {}})
    assert decide(candidate, baseline, GateSection(), "").cells[0].throughput_ratio is None
    with pytest.raises(NotComparableError, match=r"new: no speed, or no throughput\.reference_ms"):
        decide(candidate, baseline, GateSection(min_throughput_ratio=0.5), "")


def test_the_name_of_a_single_checkpoint_does_not_count(sides: Callable, numbers: Callable) -> None:
    pairs = pair_cells(*sides(features={a_cell(checkpoint="theirs"): numbers(0.6)}), ("all",))
    assert [pair.candidate[0].cell.trajectory.checkpoint for pair in pairs] == ["theirs"]


def test_several_checkpoints_are_joined_by_name(sides: Callable, numbers: Callable) -> None:
    both = {a_cell(checkpoint=name): numbers(0.5) for name in ("theirs", "ours")}
    candidate, baseline = sides(features=both)
    (pair,) = pair_cells(candidate, baseline, ("all",))
    assert pair.candidate[0].cell.trajectory.checkpoint == "ours"
    assert extra_cells(candidate, baseline, [pair]) == 1


def test_cells_are_chosen_by_id_or_by_settings(sides: Callable, numbers: Callable) -> None:
    cells = {a_cell(spot, seed=seed): numbers(0.5) for spot in (2, 4, 8) for seed in (0, 1)}
    candidate, _ = sides(features=cells)
    by_id = pair_cells(candidate, candidate, (a_cell(4, seed=1).cell_id,))
    assert [(pair.settings["sweet_spot"], pair.seeds) for pair in by_id] == [(4, (0, 1))]
    by_settings = pair_cells(candidate, candidate, (Axes(sweet_spot=(2, 8)),))
    assert [pair.settings["sweet_spot"] for pair in by_settings] == [2, 8]
    with pytest.raises(InputError, match=r"gate\.cells: nonsense names no cell of the baseline"):
        pair_cells(candidate, candidate, ("nonsense",))
    with pytest.raises(InputError, match="square"):
        pair_cells(candidate, candidate, (Axes(gamma=("square",)),))
