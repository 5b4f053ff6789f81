"""Readings by measurement: the bundled model, laid out in other ways, on the built-in images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from maskgit.checkpoints.attention_names import find_layout
from maskgit.checkpoints.decide import Decision, Measurement, decide
from maskgit.checkpoints.declared import Declared
from maskgit.checkpoints.evidence import CLEAR, FEWEST_IMAGES, Evidence, clearly_lower, encode, frequency_nats, reads
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import CheckpointError
from maskgit.model import MaskGIT
from tests.maskgit.checkpoints.relaid import State, exchanged, fused, write_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maskgit.checkpoints.attention import Reading
    from maskgit.checkpoints.checkpoint import Checkpoint

IMAGES = 16


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def catfaces() -> MaskGIT:
    model = load_model(locate("catfaces", Path()))
    assert isinstance(model, MaskGIT)
    return model


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    test_set = catfaces_test_set(IMAGES)
    assert test_set.truth is not None
    return Evidence.of(test_set.masked, test_set.truth, test_set.hole)


def located(folder: Path, declared: Declared | None = None) -> Checkpoint:
    return locate(str(folder), Path(), declared=declared)


def same_logits(model: object, original: MaskGIT, evidence: Evidence) -> bool:
    """Bit for bit: where the reading is right, the weights are the very ones."""
    assert isinstance(model, MaskGIT)
    tokens = encode(original, evidence, original.device).tokens[:2]
    return torch.equal(model.logits(tokens), original.logits(tokens))


def test_the_row_order_of_an_unknown_name_is_measured_and_both_numbers_are_said(
    tmp_path: Path, catfaces: MaskGIT, evidence: Evidence
) -> None:
    heads = catfaces.transformer.config.n_heads
    folder = write_lab(tmp_path / "lab", catfaces, lambda state: fused(state, heads, "make", by_head=True))
    with pytest.raises(CheckpointError, match=r'order of make is open .*order = "qkv".*order = "heads"'):
        load_model(located(folder))  # no images
    model = load_model(located(folder), evidence=evidence)
    assert same_logits(model, catfaces, evidence)
    line = next(line for line in model.reading if "decided by measurement" in line)  # type: ignore[attr-defined]
    assert 'order = "heads", variant = "standard":' in line
    assert 'order = "qkv", variant = "standard":' in line
    assert "token frequencies:" in line
    assert f"on {IMAGES} images" in line
    again = load_model(located(folder), fingerprint=model.fingerprint)  # what a finished run recorded decides
    assert same_logits(again, catfaces, evidence)


def test_a_measured_order_wins_over_the_convention_of_the_name_and_says_so(
    tmp_path: Path, catfaces: MaskGIT, evidence: Evidence
) -> None:
    heads = catfaces.transformer.config.n_heads
    folder = write_lab(tmp_path / "lab", catfaces, lambda state: fused(state, heads, "qkv", by_head=True))
    by_name = load_model(located(folder))
    assert isinstance(by_name, MaskGIT)
    assert not same_logits(by_name, catfaces, evidence)
    assert any("no measurement confirmed it" in text for text in by_name.caveats)
    measured = load_model(located(folder), evidence=evidence)
    assert isinstance(measured, MaskGIT)
    assert same_logits(measured, catfaces, evidence)
    assert any("as measured, not with" in text for text in measured.caveats)
    assert measured.fingerprint != by_name.fingerprint


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (Declared(order="qkv"), "order = 'qkv' reads clearly worse than 'heads'"),
        (Declared(order="heads", variant="no_softmax"), "variant = 'no_softmax' reads clearly worse than 'standard'"),
    ],
)
def test_what_is_declared_and_measured_clearly_worse_is_refused(
    tmp_path: Path, catfaces: MaskGIT, evidence: Evidence, declared: Declared, said: str
) -> None:
    heads = catfaces.transformer.config.n_heads
    folder = write_lab(tmp_path / "lab", catfaces, lambda state: fused(state, heads, "make", by_head=True))
    with pytest.raises(CheckpointError) as caught:
        load_model(located(folder, declared), evidence=evidence)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_documented_names_keep_their_fingerprint_and_are_confirmed(
    tmp_path: Path, catfaces: MaskGIT, evidence: Evidence
) -> None:
    folder = write_lab(tmp_path / "lab", catfaces)
    checkpoint = located(folder)
    model = load_model(checkpoint, evidence=evidence)
    assert isinstance(model, MaskGIT)
    assert same_logits(model, catfaces, evidence)
    assert model.fingerprint == checkpoint.fingerprint
    assert model.caveats == ()
    assert "decided by names; confirmed by measurement" in model.reading[-1]


def test_names_that_lie_do_not_read(tmp_path: Path, catfaces: MaskGIT, evidence: Evidence) -> None:
    """With k and v exchanged no reading at hand is right: nothing is confirmed, and the frequencies do as well."""

    def lie(state: State) -> State:
        return exchanged(state, "k_proj", "v_proj")

    model = load_model(located(write_lab(tmp_path / "lab", catfaces, lie)), evidence=evidence)
    assert "not confirmed by measurement" in model.reading[-1]  # type: ignore[attr-defined]


# --- the decision, on given numbers -------------------------------------------------------------------------------------

LAYOUT = find_layout({"make.weight": (12, 4), "out.weight": (4, 4)}, 4, 2, {})
NAMED = find_layout({f"{name}.weight": (4, 4) for name in ("q", "k", "v", "out")}, 4, 2, {})
SPREAD = np.linspace(-0.1, 0.1, 12)
FREQUENCIES = 6.0 + SPREAD


def decided(means: dict[tuple[str | None, str], float], declared: Declared, layout: object = LAYOUT) -> Decision:
    """The decision where these readings predict so well, in nats per token, and all others as badly as frequencies."""

    def measure(reading: Reading, count: int) -> np.ndarray:
        return (means.get((reading.order, reading.variant), 6.0) + SPREAD[::-1])[:count]

    return decide(layout, declared, Measurement(measure, FREQUENCIES), "file.pt")  # type: ignore[arg-type]


def test_a_variant_is_found_by_the_same_measurement() -> None:
    reading = decided({("heads", "joined_by_view"): 5.0, ("heads", "standard"): 5.6}, Declared()).reading
    assert (reading.order, reading.variant) == ("heads", "joined_by_view")
    decision = decided({(None, "softmax_over_queries"): 5.0, (None, "standard"): 5.3}, Declared(), NAMED)
    assert decision.reading.variant == "softmax_over_queries"
    assert "as measured, not with" in decision.caveats[0]


@pytest.mark.parametrize(
    "means",
    [
        {},
        {("qkv", "standard"): 5.9},  # better than the frequencies, but by too little to be what its author trained
        {("qkv", "standard"): 5.0, ("heads", "standard"): 5.0},  # no clear winner
    ],
)
def test_an_open_order_without_a_clear_winner_is_refused(means: dict[tuple[str | None, str], float]) -> None:
    with pytest.raises(CheckpointError, match="row order of make is open"):
        decided(means, Declared())
    assert decided(means, Declared(order="heads")).reading.order == "heads"


def test_a_default_that_is_clearly_beaten_is_refused_where_no_other_clearly_wins() -> None:
    means = {(None, "softmax_over_queries"): 5.0, (None, "split_by_view"): 5.0, (None, "standard"): 5.4}
    with pytest.raises(CheckpointError, match='variant = "standard" reads clearly worse than'):
        decided(means, Declared(), NAMED)


def test_an_order_where_nothing_is_fused_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not fused"):
        decided({}, Declared(order="heads"), NAMED)


def test_clearly_is_by_paired_standard_errors_over_images() -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(5.0, 1.0, 24)  # images differ by far more than the readings
    noise = generator.normal(0.0, 0.1, 24)
    noise = (noise - noise.mean()) / noise.std(ddof=1) * 0.1  # standard error 0.1 / √24
    edge = CLEAR * 0.1 / 24**0.5
    assert clearly_lower(images, images + noise + 1.01 * edge)
    assert not clearly_lower(images, images + noise + 0.99 * edge)
    few = FEWEST_IMAGES - 1
    assert not clearly_lower(images[:few], images[:few] + 1.0)


def test_frequencies_leave_the_image_itself_out() -> None:
    truth = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]])
    mask = torch.ones_like(truth, dtype=torch.bool)
    nats = frequency_nats(truth, mask, 3)
    np.testing.assert_allclose(nats, -np.log([1 / 11, 5 / 11, 5 / 11]))
    mask[0, 1:] = False
    np.testing.assert_allclose(frequency_nats(truth, mask, 3), nats)


def test_evidence_takes_images_with_a_hole_alone_and_not_more_than_needed() -> None:
    hole = np.zeros((100, 2, 2), bool)
    hole[10:80, 0, 0] = True
    pixels = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None, None], (100, 3, 2, 2))
    chosen = Evidence.of(pixels, pixels, hole)
    numbers = chosen.truth[:, 0, 0, 0].tolist()
    assert len(numbers) == 24
    assert (numbers[0], numbers[-1]) == (10, 79)
    assert bool(chosen.hole.any((1, 2)).all())


def test_a_reading_must_save_a_share_of_the_frequencies_to_read() -> None:
    assert reads(FREQUENCIES - 0.5, FREQUENCIES)
    assert not reads(FREQUENCIES - 0.2, FREQUENCIES)


def test_a_declared_reading_enters_the_fingerprint_only_where_it_differs(tmp_path: Path, catfaces: MaskGIT) -> None:
    folder = write_lab(tmp_path / "lab", catfaces, lambda state: fused(state, 4, "qkv", by_head=False))
    plain = load_model(located(folder))
    assert plain.fingerprint == located(folder).fingerprint
    assert load_model(located(folder, Declared(order="qkv"))).fingerprint == plain.fingerprint
    others = {
        load_model(located(folder, Declared(variant=name))).fingerprint for name in ("no_softmax", "split_by_view")
    }
    assert len(others | {plain.fingerprint}) == 3
