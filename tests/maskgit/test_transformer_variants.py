"""Named variants of the attention: each is what its name says, and none mixes the images of a batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from maskgit.config import STANDARD, VARIANTS, TransformerConfig
from maskgit.errors import CheckpointError
from maskgit.transformer import ATTEND, BidirectionalTransformer

B, N, HEADS, DIM = 3, 12, 4, 8
d = DIM // HEADS


@pytest.fixture
def qkv() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn((3, B, N, DIM), generator=generator)
    return q, k, v


def by_hand(variant: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One image (N, D) written with loops over heads and in float64: nothing that the library computes with."""
    heads = [[x.double()[:, h * d : (h + 1) * d] for x in (q, k, v)] for h in range(HEADS)]
    if variant.startswith("split"):
        flat = [x.double().flatten().split(N * d) for x in (q, k, v)]
        heads = [[parts[h].unflatten(0, (N, d)) for parts in flat] for h in range(HEADS)]
    outputs = []
    for q_h, k_h, v_h in heads:
        scores = q_h @ k_h.T * (d**0.5 if variant == "scores_times_sqrt_d" else d**-0.5)
        if variant != "no_softmax":
            scores = scores.softmax(0 if variant == "softmax_over_queries" else 1)
        outputs.append(scores @ v_h)
    if "joined_by_view" in variant:
        return torch.cat([out.flatten() for out in outputs]).unflatten(0, (N, DIM))
    return torch.cat(outputs, 1)


def test_every_variant_has_its_arithmetic_and_its_words() -> None:
    assert ATTEND.keys() == VARIANTS.keys()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_computes_what_its_name_says_for_each_image_alone(
    variant: str, qkv: tuple[Tensor, Tensor, Tensor]
) -> None:
    together = ATTEND[variant](*qkv, HEADS)
    for image in range(B):
        expected = by_hand(variant, *(x[image] for x in qkv))
        torch.testing.assert_close(together[image].double(), expected, rtol=1e-5, atol=1e-5)


def test_no_two_variants_agree(qkv: tuple[Tensor, Tensor, Tensor]) -> None:
    outputs = [attend(*qkv, HEADS) for attend in ATTEND.values()]
    for i, one in enumerate(outputs):
        for two in outputs[i + 1 :]:
            assert (one - two).abs().max() > 0.1


def test_the_variant_of_the_sizes_is_the_networks() -> None:
    sizes = {"num_image_tokens": N, "num_codebook_vectors": 5, "dim": DIM, "n_layers": 1, "hidden_dim": 8, "n_heads": 4}
    plain = TransformerConfig.from_dict(sizes, file="f", section="s")
    assert plain.variant == STANDARD
    assert plain.as_dict() == sizes
    other = TransformerConfig.from_dict({**sizes, "variant": "no_softmax"}, file="f", section="s")
    assert TransformerConfig.from_dict(other.as_dict(), file="f", section="s") == other
    attend = BidirectionalTransformer(other).blocks[0].Attention.attend
    assert attend is ATTEND["no_softmax"]
    with pytest.raises(CheckpointError, match=r"s\.variant = 'own' must be one of standard"):
        TransformerConfig.from_dict({**sizes, "variant": "own"}, file="f", section="s")
