"""Checkpoints that people really have: each loads as its author's own code computes, or is refused with the remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from maskgit.checkpoints.declared import Declared
from maskgit.checkpoints.evidence import Evidence, MaskedTokens, encode, prediction_nats
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.data.loading import load_test_set
from maskgit.errors import CheckpointError
from maskgit.model import MaskGIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = dict[str, Any]
BY_NAMES = "decided by names"
READ_BY: dict[str, str] = {
    "02-qkv-nobias-proj": "row order qkv by the convention of the name qkv",
    "03-query-key-value-proj": BY_NAMES,
    "05-W_q-nobias": BY_NAMES,
    "07-to_qkv-W_o-sequential": "row order qkv by the convention of the name to_qkv",
    "09-wqkv-wo": "row order qkv by the convention of the name wqkv",
    "16-query_proj-nobias": BY_NAMES,
    "17-supported-control": "row order qkv by the convention of the name qkv",
}
"""Attention that loads as it lies, and how it is decided where there are no images."""
DECLARED: dict[str, Declared] = {
    "01-seed-qkv_layer": Declared(order="heads", variant="joined_by_view"),
    "10-generate_qkv-interleaved": Declared(order="heads"),
    "12-per-head-list-dim1": Declared(variant="softmax_over_queries"),
}
"""Attention whose names do not say all of it: what its author says."""
WRAPPED: dict[str, str] = {
    "20-model_state_dict-whole": "found under model_state_dict, prefix transformer. taken off",
    "22-numpy-loss": "found under model",
    "25-state_dict-lightning": "found under state_dict, prefix transformer. taken off",
    "26-dataparallel-module": "prefix module.transformer. taken off",
    "28-half-precision": BY_NAMES,
    "30-pth-suffix": "best_val.pth: attention",
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    return shared / "field-cases"


@pytest.fixture(scope="module")
def images(cases: Path) -> MaskedTokens:
    """The first four test images in the tokens of the tokenizer that all cases share."""
    data = cases / "data"
    test_set = load_test_set(
        masks=data / "mask64", masked_images=data / "masked_image", ground_truth=data / "test_gt.csv", limit=4
    )
    assert test_set.truth is not None
    model = load(cases.parent / "lab-reference")
    return encode(model, Evidence.of(test_set.masked, test_set.truth, test_set.hole), model.device)


def load(folder: Path, declared: Declared | None = None) -> MaskGIT:
    model = load_model(locate(str(folder), Path(), declared=declared))
    assert isinstance(model, MaskGIT)
    return model


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as caught:
        action()
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


def check_against_the_authors_own(model: MaskGIT, case: Path) -> None:
    """Logits are those that the author's attention computes, image by image and as one batch."""
    tokens = torch.from_numpy(np.load(case / "tokens.npy")).long()
    expected = np.load(case / "expected_logits.npy")
    alone = torch.cat([model.logits(image) for image in tokens.split(1)]).numpy()
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(model.logits(tokens).numpy(), expected, rtol=0, atol=1e-4)


def check_likelihoods(model: MaskGIT, images: MaskedTokens, case: Path) -> None:
    """The number that readings are compared by is the author's own, too."""
    nats = prediction_nats(model.logits, images, model.num_codes)
    np.testing.assert_allclose(nats, np.load(case / "expected_nll.npy"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", READ_BY)
def test_attention_that_its_names_decide(cases: Path, images: MaskedTokens, name: str) -> None:
    model = load(cases / name / "model")
    check_against_the_authors_own(model, cases / name)
    check_likelihoods(model, images, cases / name)
    assert READ_BY[name] in model.reading[-1]


@pytest.mark.parametrize("name", DECLARED)
def test_attention_that_its_author_must_declare(cases: Path, images: MaskedTokens, name: str) -> None:
    model = load(cases / name / "model", DECLARED[name])
    check_against_the_authors_own(model, cases / name)
    check_likelihoods(model, images, cases / name)
    assert "declared" in model.reading[-1]


@pytest.mark.parametrize("name", ["01-seed-qkv_layer", "10-generate_qkv-interleaved"])
def test_an_order_that_nothing_says_is_asked_for_and_never_guessed(cases: Path, name: str) -> None:
    message = refusal(lambda: load(cases / name / "model"))
    assert 'order = "qkv"' in message
    assert 'order = "heads"' in message


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappings_come_off(cases: Path, name: str) -> None:
    model = load(cases / name / "model")
    assert any(WRAPPED[name] in line for line in model.reading)
    assert model.transformer.pos_emb.dtype == torch.float32


def test_the_wrapped_weights_are_the_very_ones(cases: Path) -> None:
    """All but the half-precision one wrap the transformer of `lab-reference`."""
    reference = load(cases.parent / "lab-reference").transformer.state_dict()
    for name in WRAPPED.keys() - {"28-half-precision"}:
        state = load(cases / name / "model").transformer.state_dict()
        assert all(torch.equal(state[key], reference[key]) for key in reference), name


def test_a_pickled_module_is_refused_with_the_way_out(cases: Path) -> None:
    message = refusal(lambda: load(cases / "29-pickled-module" / "model"))
    assert "pickled module" in message
    assert ".state_dict()" in message


def test_a_repository_as_it_lies_loads_with_its_four_files_named(cases: Path) -> None:
    repo = Path("34-repo-tree-as-it-is/repo")
    found = locate(
        None,
        cases,
        transformer=repo / "transformer_checkpoints/best_val.pth",
        transformer_config=repo / "config/MaskGit.yml",
        tokenizer=repo / "models/VQGAN/checkpoints/VQGAN.pt",
        tokenizer_config=repo / "models/VQGAN/config/VQGAN.yml",
    )
    assert isinstance(load_model(found), MaskGIT)


def test_every_visible_attention_and_wrapping_is_in_this_file(cases: Path) -> None:
    groups = {path.parent.name: json.loads(path.read_text())["group"] for path in cases.glob("*/case.json")}
    seen = {name for name, group in groups.items() if group in ("attention", "wrapping")}
    assert seen == READ_BY.keys() | DECLARED.keys() | WRAPPED.keys() | {"29-pickled-module"}


# --- near misses: one change to a case that loads --------------------------------------------------------------------


def in_attention(change: Callable[[State], State]) -> Callable[[State], State]:
    """A change to the attention's entries of every block, keys below `blocks.i.Attention.`."""

    def apply(state: State) -> State:
        out = {key: value for key, value in state.items() if ".Attention." not in key}
        for block in ("blocks.0.Attention.", "blocks.1.Attention."):
            below = {key.removeprefix(block): value for key, value in state.items() if key.startswith(block)}
            out |= {block + key: value for key, value in change(below).items()}
        return out

    return apply


def without(*keys: str) -> Callable[[State], State]:
    return in_attention(lambda state: {key: value for key, value in state.items() if key not in keys})


def adding(**tensors: torch.Tensor) -> Callable[[State], State]:
    return in_attention(lambda state: state | {key.replace("__", "."): value for key, value in tensors.items()})


SQUARE = torch.ones(64, 64)
SEPARATE, FUSED = "03-query-key-value-proj", "02-qkv-nobias-proj"
NEAR_MISSES: dict[str, tuple[str, Callable[[State], State], str]] = {
    "q missing": (SEPARATE, without("query.weight", "query.bias"), "no matrices is q"),
    "no output": (SEPARATE, without("proj.weight", "proj.bias"), "no matrices is out"),
    "two outputs": (SEPARATE, adding(output__weight=SQUARE), "output is out"),
    "two outputs of a fused one": (FUSED, adding(output__weight=SQUARE), "output is out"),
    "a fifth matrix": (SEPARATE, adding(gate__weight=SQUARE), "gate: of unknown role"),
    "a norm inside": (SEPARATE, adding(norm__weight=torch.ones(64)), "unexpected: blocks.0.Attention.norm.weight"),
    "a learned scale": (SEPARATE, adding(scale=torch.tensor([0.7])), "unexpected: blocks.0.Attention.scale"),
    "a causal mask": (SEPARATE, adding(mask=torch.ones(4, 4).tril().bool()), "unexpected: blocks.0.Attention.mask"),
    "a matrix of another shape": (SEPARATE, adding(up__weight=torch.ones(128, 64)), "key, value: of unknown role"),
    "a table of positions": (SEPARATE, adding(rel__bias=torch.ones(16)), "unexpected: blocks.0.Attention.rel.bias"),
    "one block differs": (
        SEPARATE,
        lambda state: {key.replace("1.Attention.key", "1.Attention.keys"): value for key, value in state.items()},
        "missing: blocks.1.Attention.key.weight",
    ),
    "a block missing": (
        SEPARATE,
        lambda state: {key: value for key, value in state.items() if "blocks.1." not in key},
        "blocks.1.Attention.query.weight",
    ),
    "a vector for a matrix": (
        SEPARATE,
        in_attention(lambda state: state | {"query.weight": torch.ones(64)}),
        "no matrices is q",
    ),
}


@pytest.fixture
def folder(cases: Path, tmp_path: Path) -> Callable[[str, Callable[[State], State]], Path]:
    def changed(name: str, change: Callable[[State], State]) -> Path:
        target = tmp_path / name
        shutil.copytree(cases / name / "model", target)
        target.chmod(0o755)
        shutil.copyfile(cases.parent / "lab-reference" / "VQGAN.pt", tmp_path / "VQGAN.pt")
        (target / "VQGAN.pt").unlink()
        (tmp_path / "VQGAN.pt").rename(target / "VQGAN.pt")
        path = target / "transformer.pt"
        state = torch.load(path, weights_only=True)
        path.unlink()
        torch.save(change(state), path)
        return target

    return changed


@pytest.mark.parametrize("near_miss", NEAR_MISSES)
def test_near_misses_are_refused_by_name(
    folder: Callable[[str, Callable[[State], State]], Path], near_miss: str
) -> None:
    name, change, said = NEAR_MISSES[near_miss]
    target = folder(name, change)
    message = refusal(lambda: load(target))
    assert said in message
    assert "transformer.pt" in message


@pytest.mark.parametrize(
    "inert",
    [
        {"scale": torch.tensor(4.0**-0.5)},
        {"scale": torch.tensor([2.0])},
        {"num_heads": torch.tensor(16)},
        {"mask": torch.ones(1, 256, 256, dtype=torch.bool)},
        {"cache": torch.empty(0)},
    ],
)
def test_what_provably_changes_nothing_is_left_aside_and_named(
    cases: Path, folder: Callable[[str, Callable[[State], State]], Path], inert: dict[str, torch.Tensor]
) -> None:
    model = load(folder(SEPARATE, adding(**inert)))
    check_against_the_authors_own(model, cases / SEPARATE)
    assert any(f"left aside: {next(iter(inert))}" in line for line in model.reading)


def test_names_that_nothing_explains_load_once_they_are_declared(
    cases: Path, folder: Callable[[str, Callable[[State], State]], Path]
) -> None:
    names = {"query": "alpha", "key": "beta", "value": "gamma", "proj": "delta"}
    renamed = in_attention(
        lambda state: {".".join(names.get(p, p) for p in key.split(".")): value for key, value in state.items()}
    )
    target = folder(SEPARATE, renamed)
    assert "attention_keys = {" in refusal(lambda: load(target))
    keys = {"q": "alpha", "k": "beta", "v": "gamma", "out": "delta"}
    model = load(target, Declared(keys))
    check_against_the_authors_own(model, cases / SEPARATE)
    assert "decided by attention_keys" in model.reading[-1]


def test_a_declared_order_that_is_the_wrong_one_computes_something_else(cases: Path) -> None:
    """So that the refusal above guards something: on random weights no image could tell."""
    case = cases / "10-generate_qkv-interleaved"
    tokens = torch.from_numpy(np.load(case / "tokens.npy")).long()
    wrong = load(case / "model", Declared(order="qkv")).logits(tokens).numpy()
    assert np.abs(wrong - np.load(case / "expected_logits.npy")).max() > 1
