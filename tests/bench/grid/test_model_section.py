"""How a checkpoint is to be read, in `grid.toml`."""

from __future__ import annotations

from typing import Any

import pytest

from bench.grid.spec import parse_spec
from bench.run.inputs import declared
from maskgit.checkpoints.declared import NOTHING_DECLARED, ORDERS, ROLES, Declared
from maskgit.config import VARIANTS
from maskgit.errors import InputError


def read(**model: Any) -> Declared:
    spec = parse_spec({"model": {"checkpoint": "mine", **model}, "data": {"dataset": "catfaces"}}, "grid.toml")
    return declared(spec.model)


def test_nothing_said_declares_nothing() -> None:
    assert read() == NOTHING_DECLARED


def test_what_is_said_arrives() -> None:
    said = read(attention_keys={"qkv": "make", "out": "W_o.0"}, order="heads", variant="no_softmax", ema=True)
    assert said == Declared({"qkv": "make", "out": "W_o.0"}, "heads", "no_softmax", True)


@pytest.mark.parametrize("key", [{"order": order} for order in ORDERS] + [{"variant": name} for name in VARIANTS])
def test_every_known_name_is_accepted(key: dict[str, str]) -> None:
    assert read(**key).said == key


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_be_named(role: str) -> None:
    assert read(attention_keys={role: "module"}).keys == {role: "module"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"order": "rows"}, "model.order"),
        ({"variant": "mine"}, "model.variant"),
        ({"attention_keys": {"query": "W_q"}}, "model.attention_keys.query"),
        ({"ema": "yes"}, "model.ema"),
    ],
)
def test_unknown_names_are_refused_by_key(model: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said.replace(".", r"\.")):
        read(**model)
