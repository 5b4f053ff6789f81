"""Wrappings: one network's weights are found below any mappings and prefixes, and never guessed between two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from maskgit.checkpoints.unwrap import Role, describe, unwrap
from maskgit.errors import CheckpointError

FILE = Path("weights.pt")
TRANSFORMER = {"tok_emb.weight": torch.ones(3, 2), "pos_emb": torch.ones(4, 2), "blocks.0.MLP.0.weight": torch.ones(2)}
TOKENIZER = {
    "codebook.embedding.weight": torch.ones(2, 2),
    "quant_conv.weight": torch.ones(1),
    "gn.weight": torch.ones(1),
}
OTHER = {key: value + 1 for key, value in TRANSFORMER.items()}


def under(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    return {prefix + key: value for key, value in state.items()}


WHOLE = under("transformer.", TRANSFORMER) | under("vqgan.", TOKENIZER)
WRAPPINGS: dict[str, dict[str, Any]] = {
    "bare": TRANSFORMER,
    "model": {"model": TRANSFORMER, "epoch": 3},
    "state_dict": {"state_dict": TRANSFORMER},
    "model_state_dict": {"model_state_dict": TRANSFORMER},
    "transformer_state_dict": {"transformer_state_dict": TRANSFORMER, "vqgan_state_dict": TOKENIZER},
    "net": {"net": TRANSFORMER},
    "networks side by side": {"transformer": TRANSFORMER, "vqgan": TOKENIZER},
    "deep": {"checkpoint": {"state": {"model": TRANSFORMER}}},
    "whole": WHOLE,
    "DataParallel": under("module.", WHOLE),
    "DataParallel inside": under("transformer.module.", TRANSFORMER) | under("vqgan.", TOKENIZER),
    "compiled": under("_orig_mod.", WHOLE),
    "both": under("module._orig_mod.", WHOLE),
    "compiled blocks": {key.replace("blocks.0.", "blocks.0._orig_mod."): value for key, value in TRANSFORMER.items()},
    "Lightning": {"state_dict": under("model.", WHOLE) | {"loss.lpips.weight": torch.ones(1)}, "hyper_parameters": {}},
    "tokenizer within": TRANSFORMER | under("vqgan.", TOKENIZER),
    "kept twice": {"model": TRANSFORMER, "best_model": {key: value.clone() for key, value in TRANSFORMER.items()}},
    "average beside it": {"model": TRANSFORMER, "ema": OTHER},
    "average by prefix": under("model.", TRANSFORMER) | under("model_ema.", OTHER),
    "optimiser beside it": {"model": TRANSFORMER, "optimizer": {"state": {0: {"exp_avg": torch.ones(1)}}}},
}


@pytest.mark.parametrize("content", WRAPPINGS.values(), ids=WRAPPINGS)
def test_the_transformer_is_found_under_its_own_keys(content: dict[str, Any]) -> None:
    weights = unwrap(content, "transformer", FILE)
    assert weights is not None
    assert weights.state.keys() == TRANSFORMER.keys()
    assert all(torch.equal(weights.state[key], value) for key, value in TRANSFORMER.items())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["networks side by side", "whole", "both", "tokenizer within", "Lightning"])
def test_so_is_the_tokenizer_where_the_file_holds_it(name: str) -> None:
    weights = unwrap(WRAPPINGS[name], "tokenizer", FILE)
    assert weights is not None
    assert weights.state.keys() == TOKENIZER.keys()


@pytest.mark.parametrize("role", ["tokenizer", "transformer"])
def test_where_it_is_not_there_nothing_is_found(role: Role) -> None:
    assert unwrap({"weight": torch.ones(1)}, role, FILE) is None


@pytest.mark.parametrize("name", ["average beside it", "average by prefix"])
def test_the_average_is_taken_where_asked_for_and_said(name: str) -> None:
    weights = unwrap(WRAPPINGS[name], "transformer", FILE, ema=True)
    assert weights is not None
    assert torch.equal(weights.state["pos_emb"], OTHER["pos_emb"])
    assert "moving average" in describe(weights, "transformer", FILE)[0]


@pytest.mark.parametrize(
    ("content", "ema", "said"),
    [
        ({"model": TRANSFORMER, "best": OTHER}, False, "'model', 'best'"),
        (under("a.", TRANSFORMER) | under("b.", OTHER), False, "'a', 'b'"),
        ({"model": TRANSFORMER}, True, "no moving average"),
        ({"ema": OTHER}, False, "ema = true"),
        ({"model": TRANSFORMER, "ema": OTHER, "model_ema": TRANSFORMER}, True, "'ema', 'model_ema'"),
        ([torch.ones(1)], False, "holds a list"),
    ],
)
def test_what_could_be_meant_in_two_ways_is_refused_by_name(content: Any, ema: bool, said: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        unwrap(content, "transformer", FILE, ema=ema)
    assert said.replace("'", "") in str(caught.value).replace("'", "")
    assert len(str(caught.value).splitlines()) == 1


def test_what_was_taken_off_and_left_aside_is_said() -> None:
    weights = unwrap(WRAPPINGS["Lightning"], "transformer", FILE)
    assert weights is not None
    assert describe(weights, "transformer", FILE) == [
        "weights.pt: transformer: found under state_dict, prefix model.transformer. taken off, left aside: loss"
    ]
    bare = unwrap(TRANSFORMER, "transformer", FILE)
    assert bare is not None
    assert describe(bare, "transformer", FILE) == []
