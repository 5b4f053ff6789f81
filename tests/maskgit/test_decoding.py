"""Both rules equal a plain reimplementation, known tokens never change, going on equals never having stopped."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from maskgit.decoding import Procedure, State, Step, fix_most_confident, gumbel, trajectory
from maskgit.errors import InputError
from maskgit.noise import STREAM_CODE, STREAM_GUMBEL, uniform
from maskgit.rules import Rule, categorical, named_rule
from maskgit.schedules import SCHEDULES, schedule

if TYPE_CHECKING:
    from collections.abc import Callable

N, V = 24, 11
LAB, PAPER = named_rule("lab"), named_rule("paper")


def hash_model(tokens: Tensor) -> Tensor:
    """A small language model in whole numbers: each logit depends on every token, and on nothing of the batch."""
    place, code = torch.arange(tokens.shape[1]), torch.arange(V + 1)
    context = (tokens * (7 * place + 3)).sum(1, keepdim=True) + 31 * tokens + 17 * place
    return ((context.unsqueeze(-1) * (2 * code + 5) + 13 * code) % 101).float() / 16.0


@cache
def noise(seed: int, image_ids: tuple[int, ...], step: int, stream: int) -> Tensor:
    return uniform(seed, torch.tensor(image_ids), step, N, stream)


def start_of(seed: int, holes: list[int]) -> tuple[Tensor, Tensor]:
    """Tokens (B, N) and a mask (B, N) with the given number of holes an image, at random places."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((len(holes), N), bool)
    for row, count in zip(mask, holes, strict=True):
        row[rng.permutation(N)[:count]] = True
    return torch.from_numpy(rng.integers(0, V, mask.shape)), torch.from_numpy(mask)


def decode(
    tokens: Tensor,
    mask: Tensor,
    *,
    gamma: str = "cosine",
    T: int = 6,
    rule: Rule = LAB,
    seed: int = 3,
    ids: list[int] | None = None,
    logits: Callable[[Tensor], Tensor] = hash_model,
    hole_count: Tensor | None = None,
    start: int = 0,
    until: int | None = None,
    first_logits: Tensor | None = None,
) -> list[Step]:
    image_ids = tuple(range(len(tokens)) if ids is None else ids)
    state = State(tokens, mask, mask.sum(1) if hole_count is None else hole_count, V, start)
    return list(
        trajectory(
            logits,
            state,
            Procedure(schedule(gamma), T, rule),
            lambda t, stream: noise(seed, image_ids, t, stream),
            until=until,
            first_logits=first_logits,
        )
    )


def assert_equal(found: list[Step], expected: list[Step]) -> None:
    assert [step.index for step in found] == [step.index for step in expected]
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a.canvas, b.canvas)
        assert torch.equal(a.mask, b.mask)
        assert torch.equal(a.confidence.nan_to_num(-1), b.confidence.nan_to_num(-1))


# --- both rules, written out for one image at a time ---


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def plain_decode(tokens: np.ndarray, mask: np.ndarray, T: int, image: int, paper: bool, temperature: float, seed: int):
    """One image, cosine schedule, by the words of the two rules: [(canvas, mask) of each step]."""
    tokens, mask, first_count, states = tokens.copy(), mask.copy(), np.float32(mask.sum()), []
    for t in range(1, T + 1):
        r = t / T
        gamma = math.cos(math.pi * r / 2)
        logits = hash_model(torch.from_numpy(np.where(mask, V, tokens))[None])[0].numpy()
        u, v = (uniform(seed, torch.tensor([image]), t, N, s)[0].numpy() for s in (STREAM_CODE, STREAM_GUMBEL))
        confidence = np.full(N, np.inf)
        for i in np.flatnonzero(mask):
            cdf = np.cumsum(softmax(logits[i, :V].astype(float)))
            tokens[i] = next(k for k in range(V) if cdf[k] / cdf[-1] > u[i])
            probability = softmax(logits[i].astype(float))[tokens[i]]
            g = -math.log(-math.log(min(max(v[i], 1e-6), 1 - 1e-6)))
            if paper:
                confidence[i] = math.log(probability) + temperature * (1 - r) * g
            else:
                confidence[i] = probability + temperature * (1 - gamma) * g
        n = int(np.floor(np.float32(gamma) * first_count))
        if paper:
            n = max(0, min(n, int(mask.sum()) - 1))
        cut_off = np.sort(confidence)[n]
        mask = confidence < cut_off
        states.append((tokens.copy(), mask.copy()))
    return states


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("name", "temperature"), [("lab", 4.5), ("lab", 0.3), ("paper", 4.5), ("paper", 1.0)])
def test_both_rules_equal_their_words(name: str, temperature: float, seed: int) -> None:
    tokens, mask = start_of(seed, [0, 1, 2, 9, 17, N - 1])
    steps = decode(tokens, mask, rule=named_rule(name).but(choice_temperature=temperature), T=9, seed=seed)
    for b in range(len(tokens)):
        plain = plain_decode(tokens[b].numpy(), mask[b].numpy(), 9, b, name == "paper", temperature, seed)
        for step, (canvas, left) in zip(steps, plain, strict=True):
            assert step.canvas[b].tolist() == canvas.tolist()
            assert step.mask[b].tolist() == left.tolist()


def test_the_paper_fixes_a_token_at_every_step_and_the_lab_need_not() -> None:
    tokens, mask = start_of(0, [3])
    lab, paper = (
        [int(step.mask.sum()) for step in decode(tokens, mask, gamma="cubic", rule=rule, T=20)] for rule in (LAB, PAPER)
    )
    assert paper == [2, 1] + [0] * 18
    assert lab == [math.floor((1 - (t / 20) ** 3) * 3) for t in range(1, 21)]
    assert lab[0] == lab[1] == 2
    assert lab[10] == 2


# --- properties ---

few = settings(max_examples=25, deadline=None)  # an example decodes up to five times
rules = st.builds(
    Rule,
    confidence=st.sampled_from(["probability", "log_probability"]),
    anneal=st.sampled_from(["gamma", "ratio", "none"]),
    sampling=st.sampled_from(["categorical", "argmax"]),
    choice_temperature=st.sampled_from([0.0, 1.0, 4.5, 100.0]),
    sampling_temperature=st.sampled_from([0.5, 1.0, 2.0]),
    fix_at_least_one=st.booleans(),
)
gammas = st.sampled_from([*SCHEDULES, "power:1.3"])
hole_counts = st.lists(st.integers(0, N), min_size=1, max_size=4)
seeds = st.integers(0, 2**32)


@few
@given(seeds, hole_counts, gammas, st.integers(1, 9), rules)
def test_known_tokens_never_change(seed: int, holes: list[int], gamma: str, T: int, rule: Rule) -> None:
    tokens, mask = start_of(seed, holes)
    before, left = tokens, mask
    for step in decode(tokens, mask, gamma=gamma, T=T, rule=rule, seed=seed):
        assert torch.equal(step.canvas[~left], before[~left])  # given, or fixed in an earlier step
        assert not (step.mask & ~left).any()  # nothing fixed is masked again
        assert ((step.canvas >= 0) & (step.canvas < V)).all()  # complete: the mask token is never drawn
        before, left = step.canvas, step.mask
    assert not left.any()
    assert torch.equal(before[~mask], tokens[~mask])


@few
@given(seeds, hole_counts, gammas, st.integers(1, 9), rules, st.data())
def test_going_on_from_any_step_equals_never_having_stopped(
    seed: int, holes: list[int], gamma: str, T: int, rule: Rule, data: st.DataObject
) -> None:
    tokens, mask = start_of(seed, holes)
    run = partial(decode, gamma=gamma, T=T, rule=rule, seed=seed, hole_count=mask.sum(1))
    whole = run(tokens, mask)
    start = data.draw(st.integers(0, T))
    until = data.draw(st.integers(start, T))
    assert_equal(run(tokens, mask, until=start), whole[:start])
    canvas, left = (whole[start - 1].canvas, whole[start - 1].mask) if start else (tokens, mask)
    assert_equal(run(canvas, left, start=start, until=until), whole[start:until])


@few
@given(seeds, st.lists(st.integers(0, N), min_size=2, max_size=4), gammas, rules, st.randoms(use_true_random=False))
def test_an_image_does_not_feel_its_batch(seed: int, holes: list[int], gamma: str, rule: Rule, random) -> None:
    tokens, mask = start_of(seed, holes)
    together = decode(tokens, mask, gamma=gamma, rule=rule)
    ids = list(range(len(holes)))
    random.shuffle(ids)
    shuffled = decode(tokens[ids], mask[ids], gamma=gamma, rule=rule, ids=ids)
    alone = [decode(tokens[[i]], mask[[i]], gamma=gamma, rule=rule, ids=[i]) for i in ids]
    for t, step in enumerate(together):
        expected = replace(step, canvas=step.canvas[ids], mask=step.mask[ids], confidence=step.confidence[ids])
        assert_equal([shuffled[t]], [expected])
        for row, i in enumerate(ids):
            one = replace(step, canvas=step.canvas[[i]], mask=step.mask[[i]], confidence=step.confidence[[i]])
            assert_equal([alone[row][t]], [one])


@few
@given(seeds, hole_counts, rules)
def test_what_stands_at_masked_places_does_not_matter(seed: int, holes: list[int], rule: Rule) -> None:
    tokens, mask = start_of(seed, holes)
    other = torch.where(mask, (tokens + 5) % V, tokens)
    assert_equal(decode(tokens, mask, rule=rule), decode(other, mask, rule=rule))


@settings(deadline=None)
@given(seeds, st.integers(0, N), st.integers(0, N))
def test_n_tokens_stay_masked_and_they_are_the_least_confident(seed: int, unknown: int, n: int) -> None:
    confidence = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, N)).astype(np.float32))
    confidence[0, unknown:] = math.inf
    left = fix_most_confident(confidence, torch.tensor([n]))[0]
    assert int(left.sum()) == min(n, unknown)
    assert not left[unknown:].any()
    if left.any() and not left[:unknown].all():
        assert confidence[0, left].max() < confidence[0, ~left].min()


def test_ties_at_the_cut_off_are_fixed() -> None:
    confidence = torch.tensor([[0.5, 0.1, 0.5, 0.5, math.inf]])
    assert fix_most_confident(confidence, torch.tensor([2])).tolist() == [[False, True, False, False, False]]


# --- what the lab's reference does not pin ---


def test_count_of_masked_tokens_is_a_float32_product() -> None:
    tokens, mask = start_of(1, [10, 20])
    left = torch.stack([step.mask.sum(1) for step in decode(tokens, mask, gamma="linear", T=10)])
    assert left.tolist() == [[10 - t, 20 - 2 * t] for t in range(1, 11)]  # in float64, step 9 would leave 0 and 1


def test_stopping_early_gives_the_first_steps_of_the_whole() -> None:
    tokens, mask = start_of(2, [5, 20, N])
    whole = decode(tokens, mask, T=8)
    for s in range(9):
        assert_equal(decode(tokens, mask, T=8, until=s), whole[:s])
    assert whole[3].mask.any()  # s < T stops with tokens still masked, on a complete canvas


@pytest.mark.parametrize("rule", [LAB, PAPER])
def test_an_empty_hole_comes_back_as_it_is(rule: Rule) -> None:
    tokens, mask = start_of(3, [0, 0])
    for step in decode(tokens, mask, rule=rule):
        assert torch.equal(step.canvas, tokens)
        assert not step.mask.any()
        assert step.confidence.isnan().all()


def test_all_stay_masked_where_gamma_rounds_to_one() -> None:
    tokens, mask = start_of(4, [N])
    (step,) = decode(tokens, mask, T=100_000, until=1)
    assert step.mask.all()


def test_known_first_logits_save_one_call() -> None:
    tokens, mask = start_of(5, [7, 12])
    calls: list[Tensor] = []

    def counting(masked: Tensor) -> Tensor:
        calls.append(masked)
        return hash_model(masked)

    first_logits = hash_model(torch.where(mask, V, tokens))
    whole = decode(tokens, mask)
    assert_equal(decode(tokens, mask, logits=counting, first_logits=first_logits), whole)
    assert len(calls) == 5
    assert torch.equal(calls[0], torch.where(whole[0].mask, V, whole[0].canvas))


def test_mean_confidence_is_that_of_the_tokens_drawn() -> None:
    tokens, mask = start_of(6, [4, 15])
    step = decode(tokens, mask, until=1, rule=PAPER)[0]
    probability = hash_model(torch.where(mask, V, tokens)).softmax(-1)
    for b in range(2):
        drawn = [float(probability[b, i, step.canvas[b, i]]) for i in range(N) if mask[b, i]]
        assert float(step.confidence[b]) == pytest.approx(sum(drawn) / len(drawn), rel=1e-6)


# --- drawing a code ---


def test_the_smallest_code_whose_cdf_exceeds_u() -> None:
    logits = torch.tensor([-math.inf, math.log(1), math.log(2), -math.inf, math.log(1), -math.inf])
    u = torch.tensor([0.0, 0.2499, 0.2501, 0.7499, 0.7501, 1.0 - 2.0**-53], dtype=torch.float64)
    assert categorical(logits.expand(6, -1), u, LAB).tolist() == [1, 1, 2, 2, 4, 4]


def test_a_uniform_equal_to_the_cdf_takes_the_next_code() -> None:
    u = torch.tensor([0.0, 0.25, 0.5, 0.75], dtype=torch.float64)
    assert categorical(torch.zeros(4, 4), u, LAB).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_follow_the_softmax_of_divided_logits(temperature: float) -> None:
    """A grid of uniforms hits each code in proportion to its probability."""
    logits, count = torch.tensor([0.3, -1.0, 2.0, 0.0, 1.1]), 20_000
    u = (torch.arange(count, dtype=torch.float64) + 0.5) / count

    def model(tokens: Tensor) -> Tensor:
        return torch.cat([logits, torch.tensor([9.0])]).expand(1, count, -1)  # the mask token is by far the likeliest

    start = State.before_first_step(
        torch.zeros(1, count, dtype=torch.int64), torch.ones(1, count, dtype=torch.bool), num_codes=5
    )
    procedure = Procedure(schedule("linear"), 1, Rule(sampling_temperature=temperature))
    (step,) = trajectory(model, start, procedure, lambda t, stream: u.unsqueeze(0))
    frequency = torch.bincount(step.canvas[0], minlength=5).double() / count
    assert (frequency - (logits.double() / temperature).softmax(0)).abs().max() <= 1 / count
    # confidence is the model's own: of undivided logits, over the mask token too
    own = torch.cat([logits, torch.tensor([9.0])]).double().softmax(0)[:5]
    assert float(step.confidence[0]) == pytest.approx(float((frequency * own).sum()), rel=1e-5)


def test_argmax_takes_the_likeliest_code_whatever_the_seed() -> None:
    tokens, mask = start_of(7, [9, 20])
    rule = Rule(sampling="argmax", choice_temperature=0.0)
    likeliest = hash_model(torch.where(mask, V, tokens))[..., :V].argmax(-1)
    steps = decode(tokens, mask, rule=rule, seed=1)
    assert torch.equal(steps[0].canvas, torch.where(mask, likeliest, tokens))
    assert_equal(decode(tokens, mask, rule=rule, seed=2), steps)


def test_gumbel_noise_stays_finite() -> None:
    g = gumbel(torch.tensor([0.0, math.exp(-1.0), 1.0 - 2.0**-53], dtype=torch.float64))
    np.testing.assert_allclose(g, [-math.log(-math.log(1e-6)), 0.0, -math.log(-math.log1p(-1e-6))], atol=1e-9)


# --- refusals ---


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("confidence", "entropy", "probability, log_probability"),
        ("anneal", "linear", "gamma, ratio, none"),
        ("sampling", "top-k", "categorical, argmax"),
        ("choice_temperature", -1.0, "0 or above"),
        ("choice_temperature", math.nan, "0 or above"),
        ("sampling_temperature", 0.0, "above 0"),
        ("sampling_temperature", math.inf, "above 0"),
    ],
)
def test_an_impossible_rule_is_refused(setting: str, value: object, remedy: str) -> None:
    with pytest.raises(InputError, match=f"^{setting} = .*{remedy}"):
        Rule(**{setting: value})


@pytest.mark.parametrize("sampling", ["categorical", "argmax"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_numbers_are_refused(sampling: str, bad: float) -> None:
    tokens, mask = start_of(8, [5])
    place = int(mask[0].nonzero()[0])

    def broken(masked: Tensor) -> Tensor:
        logits = hash_model(masked)
        logits[0, place, 3] = bad
        return logits

    with pytest.raises(InputError, match="not numbers at step 1"):
        decode(tokens, mask, logits=broken, rule=Rule(sampling=sampling))


def test_no_code_to_draw_is_refused() -> None:
    tokens, mask = start_of(9, [5])

    def only_the_mask_token(masked: Tensor) -> Tensor:
        logits = hash_model(masked)
        logits[..., :V] = -math.inf
        return logits

    with pytest.raises(InputError, match="not numbers at step 1"):
        decode(tokens, mask, logits=only_the_mask_token)


@pytest.mark.parametrize(("start", "until"), [(-1, 3), (4, 3), (0, 7)])
def test_steps_out_of_order_are_refused(start: int, until: int) -> None:
    tokens, mask = start_of(10, [5])
    with pytest.raises(ValueError, match="0 <= steps done <= until <= total_iter"):
        decode(tokens, mask, start=start, until=until)
