"""Names of users' attention modules: what they say, what shapes add, and what nothing tells."""

from __future__ import annotations

import pytest

from maskgit.checkpoints.attention_names import Shape, find_layout, role_of
from maskgit.errors import CheckpointError

DIM, HEADS = 32, 16


def linear(*modules: str, rows: int = DIM, bias: bool = True) -> dict[str, Shape]:
    """Shapes of Linears on the model's width."""
    shapes: dict[str, Shape] = {}
    for module in modules:
        shapes[f"{module}.weight"] = (rows, DIM)
        if bias:
            shapes[f"{module}.bias"] = (rows,)
    return shapes


def names_of(shapes: dict[str, Shape], **declared: str) -> dict[str, str]:
    layout = find_layout(shapes, DIM, HEADS, declared)
    return {role: projection.name for role, projection in layout.projections.items()}


def refusal(shapes: dict[str, Shape], **declared: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        find_layout(shapes, DIM, HEADS, declared)
    return str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        "q_proj k_proj v_proj out_proj",
        "query key value output_layer",
        "query key value proj",
        "query key value dense",
        "W_q W_k W_v W_o",
        "Wq Wk Wv Wo",
        "WQ WK WV WO",
        "wq wk wv wo",
        "w_qs w_ks w_vs fc",
        "to_q to_k to_v to_out.0",
        "fc_q fc_k fc_v fc_o",
        "linear_q linear_k linear_v linear_out",
        "q_linear k_linear v_linear out",
        "queries keys values fc_out",
        "query_projection key_projection value_projection out_projection",
        "query_proj key_proj value_proj output_proj",
        "toqueries tokeys tovalues unifyheads",
        "q.proj k.proj v.proj out.proj",
        "queryLayer keyLayer valueLayer outputLayer",
        "lin_query lin_key lin_val lin_final",
        "attn.q attn.k attn.v attn.o",
        "net.to_q.0 net.to_k.0 net.to_v.0 net.proj.0",
        "q k v projector",
    ],
)
def test_four_separate_linears_are_told_by_their_names_in_any_order(names: str) -> None:
    q, k, v, out = names.split()
    expected = {"q": q, "k": k, "v": v, "out": out}
    assert names_of(linear(q, k, v, out)) == expected
    assert names_of(linear(out, v, k, q, bias=False)) == expected


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("q_proj", "q"), ("out_q", "q"), ("key_value", None), ("qk", None), ("proj", "out"), ("scale", None),
        ("W_0", None), ("value.0", "v"), ("self_attention_heads.*.q", "q"), ("multihead", None), ("final_linear", None),
    ],
)  # fmt: skip
def test_the_role_that_a_name_says(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_where_three_roles_are_named_the_fourth_follows() -> None:
    assert names_of(linear("query", "key", "vlaue", "output"))["v"] == "vlaue"
    assert names_of(linear("query", "key", "value", "W_0"))["out"] == "W_0"


@pytest.mark.parametrize("fused", ["qkv", "to_qkv", "generate_qkv", "anything", "c_attn"])
@pytest.mark.parametrize("out", ["proj", "W_o.0", "unify"])
def test_a_fused_matrix_is_known_by_its_shape_under_any_name(fused: str, out: str) -> None:
    assert names_of(linear(fused, rows=3 * DIM) | linear(out)) == {"qkv": fused, "out": out}


def test_torchs_own_attention_is_a_fused_one_whose_order_is_known() -> None:
    shapes: dict[str, Shape] = {"mha.in_proj_weight": (3 * DIM, DIM), "mha.in_proj_bias": (3 * DIM,)}
    layout = find_layout(shapes | linear("mha.out_proj"), DIM, HEADS, {})
    assert layout.projections["qkv"].name == "mha.in_proj"
    assert layout.conventional


@pytest.mark.parametrize(
    ("name", "conventional"), [("qkv", True), ("to_qkv.0", True), ("Wqkv", True), ("qkv_proj", False)]
)
def test_only_names_on_which_public_code_agrees_say_the_row_order(name: str, conventional: bool) -> None:
    layout = find_layout(linear(name, rows=3 * DIM) | linear("proj"), DIM, HEADS, {})
    assert layout.conventional == conventional
    assert layout.fused is not None


def test_keys_and_values_may_be_fused_beside_the_queries() -> None:
    assert names_of(linear("to_q", "to_out") | linear("to_kv", rows=2 * DIM)) == {
        "kv": "to_kv", "q": "to_q", "out": "to_out",
    }  # fmt: skip


def test_a_list_of_small_linears_is_one_matrix_and_shows_the_number_of_heads() -> None:
    heads = [linear(f"heads.{i}.{role}", rows=4) for i in range(8) for role in "qkv"]
    layout = find_layout({k: s for head in heads for k, s in head.items()} | linear("projector"), DIM, HEADS, {})
    assert layout.heads == 8
    assert layout.fused is None
    assert layout.projections["k"].parts == tuple(f"heads.{i}.k" for i in range(8))


def test_a_list_with_a_missing_head_is_refused() -> None:
    heads = [linear(f"heads.{i}.{role}", rows=4) for i in range(8) for role in "qkv" if (i, role) != (3, "k")]
    assert "k" in refusal({k: s for head in heads for k, s in head.items()} | linear("projector"))


def test_a_pointwise_convolution_is_a_linear() -> None:
    shapes = {key: (*shape, 1) if len(shape) == 2 else shape for key, shape in linear("q", "k", "v", "o").items()}
    assert names_of(shapes) == {"q": "q", "k": "k", "v": "v", "out": "o"}


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (linear("key", "value", "out"), "no matrices is q"),
        (linear("query", "key", "value"), "no matrices is out"),
        (linear("query", "key", "value", "proj", "output"), "proj, output is out"),
        (linear("query", "key", "value", "out", "gate"), "gate: of unknown role"),
        (linear("a", "b", "c", "d"), "a, b, c, d is q or k or v or out"),
        (linear("layers.0", "layers.1", "layers.2", "layers.3"), "layers.0"),
        (linear("qkv", rows=3 * DIM), "no matrices is out"),
        (linear("qkv", rows=3 * DIM) | linear("proj", "proj2"), "proj, proj2 is out"),
        (linear("qkv", "qkv_cross", rows=3 * DIM) | linear("proj"), "qkv, qkv_cross"),
        (linear("qkv", rows=3 * DIM) | linear("q", "proj"), "q: of unknown role"),
        ({**linear("q", "k", "v", "o"), "q.bias": (7,)}, "q.bias"),
    ],
)
def test_what_nothing_tells_is_refused_by_name(shapes: dict[str, Shape], said: str) -> None:
    assert said in refusal(shapes)


def test_the_user_may_name_all_of_them_or_the_open_ones() -> None:
    shapes = linear("a", "b", "c", "d")
    assert names_of(shapes, q="c", k="a", v="d", out="b") == {"q": "c", "k": "a", "v": "d", "out": "b"}
    assert names_of(linear("query", "key", "x", "y"), out="x")["v"] == "y"
    assert "attention_keys.q = 'z'" in refusal(shapes, q="z")
    assert "another size" in refusal(
        linear("wide", rows=3 * DIM) | linear("b", "c", "d"), q="wide", k="b", v="c", out="d"
    )


def test_keys_that_are_no_part_of_a_matrix_are_left_over() -> None:
    shapes: dict[str, Shape] = {**linear("q", "k", "v", "o"), "scale": (), "norm.weight": (DIM,), "lonely.bias": (DIM,)}
    assert find_layout(shapes, DIM, HEADS, {}).leftover == ("scale", "norm.weight", "lonely.bias")
