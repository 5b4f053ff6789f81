"""Philox is Philox, and a random number depends on nothing but its coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from maskgit.noise import STREAM_CODE, STREAM_GUMBEL, philox, uniform, unit_interval

words = st.integers(0, 2**32 - 1)
image_ids = st.one_of(words, st.integers(0, 2**63 - 1))
seeds = st.integers(0, 2**64 - 1)


def numpy_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4×32-10 of one counter, in Python's unbounded integers."""
    c, (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 % 2**32, (p0 >> 32) ^ c[3] ^ k1, p0 % 2**32]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c


def torch_philox(counter: list[int], key: list[int]) -> list[int]:
    c0, c1, c2, c3 = (torch.tensor([word]) for word in counter)
    return [int(word) for word in philox((c0, c1, c2, c3), (key[0], key[1]))]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_published_known_answers(counter: str, key: str, expected: str) -> None:
    """The philox4x32-10 vectors of Random123's `kat_vectors`."""
    c, k, e = ([int(word, 16) for word in text.split()] for text in (counter, key, expected))
    assert torch_philox(c, k) == e
    assert numpy_philox(c, k) == e


@settings(max_examples=25, deadline=None)
@given(st.lists(words, min_size=4, max_size=4), st.lists(words, min_size=2, max_size=2))
def test_equals_unbounded_integers(counter: list[int], key: list[int]) -> None:
    assert torch_philox(counter, key) == numpy_philox(counter, key)


@settings(max_examples=25, deadline=None)
@given(seeds, image_ids, words, st.integers(0, 1), st.integers(1, 5))
def test_a_number_is_philox_of_its_coordinates(seed: int, image: int, step: int, stream: int, tokens: int) -> None:
    found = uniform(seed, torch.tensor([image]), step, tokens, stream)
    for token in range(tokens):
        first, second, _, _ = numpy_philox(
            [token, step, image % 2**32, stream + 2 * (image // 2**32)], [seed % 2**32, seed // 2**32]
        )
        assert float(found[0, token]) == ((first >> 5) * 2**26 + (second >> 6)) / 2**53


def test_ends_of_the_interval() -> None:
    ends = unit_interval(torch.tensor([0, 2**32 - 1]), torch.tensor([0, 2**32 - 1]))
    assert ends.tolist() == [0.0, 1.0 - 2.0**-53]
    assert ends.dtype == torch.float64


@settings(max_examples=25, deadline=None)
@given(st.lists(image_ids, min_size=1, max_size=6), seeds, st.randoms(use_true_random=False))
def test_no_trace_of_batch_order_or_number_of_tokens(ids: list[int], seed: int, random) -> None:
    together = uniform(seed, torch.tensor(ids), 3, 9, STREAM_CODE)
    assert together.shape == (len(ids), 9)
    for row, image in enumerate(ids):
        assert torch.equal(uniform(seed, torch.tensor([image]), 3, 9, STREAM_CODE)[0], together[row])
    order = list(range(len(ids)))
    random.shuffle(order)
    shuffled = uniform(seed, torch.tensor([ids[i] for i in order]), 3, 9, STREAM_CODE)
    assert torch.equal(shuffled, together[order])
    assert torch.equal(uniform(seed, torch.tensor(ids), 3, 4, STREAM_CODE), together[:, :4])


def test_leaves_torchs_own_generator_alone() -> None:
    before = torch.get_rng_state()
    uniform(1, torch.arange(3), 1, 8, STREAM_CODE)
    assert torch.equal(torch.get_rng_state(), before)


IDS = torch.arange(200)
REFERENCE = {"seed": 7, "step": 1, "stream": STREAM_CODE}
NEIGHBOURS = [{"stream": STREAM_GUMBEL}, {"step": 2}, {"seed": 8}, {"seed": 7 + 2**32}]


def draw(seed: int, step: int, stream: int, ids: torch.Tensor = IDS) -> np.ndarray:
    return uniform(seed, ids, step, 256, stream).numpy()


@pytest.mark.parametrize("change", [{}, *NEIGHBOURS], ids=str)
def test_is_uniform(change: dict[str, int]) -> None:
    numbers = draw(**(REFERENCE | change))
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-3
    assert len(np.unique(numbers)) == numbers.size


@pytest.mark.parametrize("change", NEIGHBOURS, ids=str)
def test_neighbouring_coordinates_are_independent(change: dict[str, int]) -> None:
    assert_independent(draw(**REFERENCE), draw(**(REFERENCE | change)))


def test_neighbouring_images_and_tokens_are_independent() -> None:
    numbers = draw(**REFERENCE)
    assert_independent(numbers, draw(**REFERENCE, ids=IDS + 1))
    assert_independent(numbers[:, :-1], numbers[:, 1:])


def assert_independent(a: np.ndarray, b: np.ndarray) -> None:
    """A chi-square test of a 16×16 table: pairs fill the unit square evenly."""
    table = np.histogram2d(a.ravel(), b.ravel(), bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "seed", "ids", "step", "tokens", "stream"),
    [
        ("seed", -1, [0], 1, 4, 0),
        ("seed", 2**64, [0], 1, 4, 0),
        ("image id", 0, [3, -1], 1, 4, 0),
        ("step", 0, [0], -1, 4, 0),
        ("step", 0, [0], 2**32, 4, 0),
        ("tokens", 0, [0], 1, 2**32, 0),
        ("stream", 0, [0], 1, 4, -1),
        ("stream", 0, [0], 1, 4, 2),
    ],
)
def test_a_coordinate_out_of_range_is_refused(
    name: str, seed: int, ids: list[int], step: int, tokens: int, stream: int
) -> None:
    with pytest.raises(ValueError, match=name):
        uniform(seed, torch.tensor(ids), step, tokens, stream)


def test_no_images_no_numbers() -> None:
    assert uniform(0, torch.zeros(0, dtype=torch.int64), 1, 5, STREAM_CODE).shape == (0, 5)
