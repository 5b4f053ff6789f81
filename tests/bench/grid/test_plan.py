from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.grid.own_gammas import OwnGammas
from bench.grid.plan import Cell, Plan, cell_of, flops, make_plan
from bench.grid.spec import parse_spec
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import InputError
from maskgit.rules import ANNEAL, CONFIDENCE, FIX_AT_LEAST_ONE

if TYPE_CHECKING:
    from pathlib import Path


def plan(grid: dict, checkpoints: tuple[str, ...] = ("a",), seeds: tuple[int, ...] = (0,)) -> Plan:
    raw = {"run": {"seeds": seeds}, "model": {"checkpoint": "a"}, "data": {"dataset": "catfaces"}, "grid": grid}
    return make_plan(parse_spec(raw, "grid.toml"), checkpoints)


def settings(one: Plan) -> set[tuple]:
    return {(c.trajectory.gamma, c.trajectory.total_iter, c.sweet_spot) for c in one.cells}


def test_the_grid_is_the_product_of_its_axes_within_each_schedule() -> None:
    assert settings(plan({"gamma": ["cosine", "linear"], "total_iter": [2, 4], "sweet_spot": [1, 3]})) == {
        (gamma, total, spot) for gamma in ("cosine", "linear") for total, spot in ((2, 1), (4, 1), (4, 3))
    }


def test_minus_one_is_the_last_step_of_every_schedule() -> None:
    grid = {"total_iter": [4, 10], "sweet_spot": [2, -1], "exclude": [{"total_iter": 4, "sweet_spot": -1}]}
    assert {(total, spot) for _, total, spot in settings(plan(grid))} == {(4, 2), (10, 2), (10, 10)}


def test_all_sweet_spots_are_all_steps() -> None:
    assert settings(plan({"total_iter": [3]})) == {("cosine", 3, spot) for spot in (1, 2, 3)}


def test_fractions_are_steps_of_each_schedule() -> None:
    found = settings(plan({"total_iter": [4, 10], "sweet_spot": [0.01, 0.25, 1.0]}))
    assert found == {("cosine", 4, 1), ("cosine", 4, 4), ("cosine", 10, 1), ("cosine", 10, 3), ("cosine", 10, 10)}


def test_a_spec_read_back_from_a_run_makes_the_same_plan() -> None:
    spec = parse_spec(
        {
            "model": {"checkpoint": "a"},
            "data": {"dataset": "catfaces"},
            "grid": {"total_iter": [3], "include": [{"gamma": "square"}], "exclude": [{"sweet_spot": [2]}]},
        },
        "grid.toml",
    )
    assert make_plan(parse_spec(spec.model_dump(mode="json"), "run.json"), ("a",)) == make_plan(spec, ("a",))


def test_include_adds_and_exclude_takes_away() -> None:
    grid = {
        "gamma": ["cosine"],
        "total_iter": [4],
        "sweet_spot": [4],
        "include": [{"gamma": "square"}, {"total_iter": 6, "sweet_spot": "all"}],
        "exclude": [{"gamma": "cosine", "sweet_spot": [2, 3]}, {"total_iter": 6, "sweet_spot": [1]}],
    }
    assert settings(plan(grid)) == {
        ("cosine", 4, 4),
        ("square", 4, 4),
        ("cosine", 6, 4),
        ("cosine", 6, 5),
        ("cosine", 6, 6),
    }


def test_the_rule_gives_what_the_axes_leave_open() -> None:
    paper, mixed = (
        plan(grid).cells[0].trajectory.rule for grid in ({"rule": "paper"}, {"rule": "paper", "anneal": "none"})
    )
    assert (paper[CONFIDENCE], paper[ANNEAL], paper[FIX_AT_LEAST_ONE]) == ("log_probability", "ratio", True)
    assert (mixed[CONFIDENCE], mixed[ANNEAL], mixed[FIX_AT_LEAST_ONE]) == ("log_probability", "none", True)


def test_ids_are_those_of_earlier_versions() -> None:
    """A finished run is found again, and its stored trajectories are reused, by these ids."""
    cells = plan({"gamma": ["cosine", "square"], "total_iter": [4, 8], "sweet_spot": [1, 4, 6]}, ("catfaces",)).cells
    assert {"cosine-4-1-d90980", "cosine-8-4-ecf554", "square-8-6-68267f"} < {cell.cell_id for cell in cells}


@pytest.mark.parametrize(
    ("grid", "named"),
    [
        ({"sweet_spot": [9], "total_iter": [4, 8]}, "grid.sweet_spot: 9 is above every total_iter"),
        ({"exclude": [{"gamma": "cosine"}]}, "no cell is left"),
    ],
)
def test_an_impossible_grid_is_refused(grid: dict, named: str) -> None:
    with pytest.raises(InputError, match=named):
        plan(grid)


def test_passes_share_trajectories_and_the_first_step() -> None:
    one = plan({"gamma": ["cosine", "linear"], "total_iter": [4, 8], "sweet_spot": [1, 2, 4, 8]})
    assert one.passes == 1 + 2 * (3 + 7)
    assert one.passes_unshared == 2 * ((1 + 2 + 4) + (1 + 2 + 4 + 8))
    assert one.canvases == 1 + 2 * (2 + 3)


names = st.lists(st.sampled_from(["cosine", "linear", "square", "power:1.5"]), min_size=1, max_size=3, unique=True)
totals = st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True)


@given(names, totals, st.integers(1, 3))
def test_ids_are_unique_and_depend_on_the_settings_alone(
    gammas: list[str], total_iters: list[int], n_seeds: int
) -> None:
    one = plan(
        {"gamma": gammas, "total_iter": total_iters, "compose": ["none", "paste"]}, ("a", "b"), tuple(range(n_seeds))
    )
    assert len({cell.cell_id for cell in one.cells}) == len(one.cells)
    assert len({t.trajectory_id for t in one.trajectories}) == len(one.trajectories)
    again = plan(
        {"gamma": gammas[::-1], "total_iter": total_iters, "compose": ["paste", "none"]},
        ("b", "a"),
        tuple(range(n_seeds)),
    )
    assert {c.cell_id for c in again.cells} == {c.cell_id for c in one.cells}
    assert one.passes <= one.passes_unshared


@pytest.mark.parametrize("tokenizer", [TokenizerConfig(), TokenizerConfig(enc_blocks=1, dec_blocks=1, latent_dim=32)])
def test_flops_are_those_that_torch_counts(tokenizer: TokenizerConfig) -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from maskgit.tokenizer import VQGAN
    from maskgit.transformer import BidirectionalTransformer

    transformer = TransformerConfig(
        num_codebook_vectors=tokenizer.num_codebook_vectors, dim=64, n_layers=2, hidden_dim=96
    )
    cost = flops(tokenizer, transformer)
    with torch.device("meta"):
        vqgan, network = VQGAN(tokenizer), BidirectionalTransformer(transformer)
        images, tokens = torch.empty(1, 3, 64, 64), torch.zeros(1, 256, dtype=torch.int64)
        for expected, work in [
            (cost.encode, lambda: vqgan.encode(images)),
            (cost.step, lambda: network(tokens)),
            (cost.render, lambda: vqgan.decode(tokens)),
        ]:
            with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                work()
            assert counter.get_total_flops() == expected


def test_the_values_of_an_own_gamma_function_are_its_identity_and_not_its_source(tmp_path: Path) -> None:
    def cells(source: str, total_iter: int = 4) -> tuple[Cell, ...]:
        (tmp_path / "mine.py").write_text(source)
        raw = {
            "model": {"checkpoint": "x"},
            "data": {"dataset": "catfaces"},
            "grid": {"gamma": "python:./mine.py:g", "total_iter": total_iter, "sweet_spot": -1},
        }
        return make_plan(parse_spec(raw, "grid.toml"), ("x",), OwnGammas(tmp_path)).cells

    (cell,) = cells("def g(r): return 1 - r")
    assert cells("def g(ratio):  # the same\n    return 1 - ratio") == (cell,)
    assert cells("def g(r): return 1 - r ** 4 / r ** 3 if r else 1") == (cell,)  # other numbers only where none is used
    (changed,) = cells("def g(r): return 1 - r * r")
    assert changed.trajectory.decode_settings != cell.trajectory.decode_settings
    assert changed.cell_id != cell.cell_id
    assert cell.cell_id.startswith("g-4-4-")
    assert cell.trajectory.gamma_values == "1.0,0.75,0.5,0.25,0.0"
    assert cell_of(cell.settings) == cell
    assert cells("def g(r): return 1 - r", 2)[0].trajectory.gamma_values == "1.0,0.5,0.0"
