"""The lab layout: every naming and wrapping gives the same model; what cannot be placed is named."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.errors import CheckpointError
from maskgit.model import MaskGIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = dict[str, Any]


def load(folder: Path) -> MaskGIT:
    model = load_model(locate(str(folder), Path()))
    assert isinstance(model, MaskGIT)
    return model


def read(path: Path) -> State:
    return dict(torch.load(path, weights_only=True))


def refusal(folder: Path) -> str:
    """The message with which the folder must be refused: one line."""
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for their threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "lab-reference" / "reference.npz") as archive:
        return {key: archive[key] for key in ("masked_images_u8", "token_mask", "tokens", "first_logits")}


@pytest.fixture(scope="module")
def plain(shared: Path) -> MaskGIT:
    return load(shared / "lab-reference")


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    """A copy of the reference pair that a test may damage."""
    for name in ("VQGAN.pt", "transformer.pt", "VQGAN.yml", "MaskGit.yml"):
        shutil.copyfile(shared / "lab-reference" / name, tmp_path / name)
    return tmp_path


def without_biases(state: State) -> State:
    """The state dict with the biases of q, k and v at zero: what `to_qkv` can hold."""
    zeroed = ("q_proj.bias", "k_proj.bias", "v_proj.bias")
    return {key: torch.zeros_like(value) if key.endswith(zeroed) else value for key, value in state.items()}


def renamed(names: tuple[str, str, str, str]) -> Callable[[State], State]:
    mapping = dict(zip(("q_proj", "k_proj", "v_proj", "out_proj"), names, strict=True))

    def rename(state: State) -> State:
        out: State = {}
        for key, value in state.items():
            parts = key.split(".")
            out[".".join(mapping.get(part, part) for part in parts)] = value
        return out

    return rename


def fused(name: str, bias: bool) -> Callable[[State], State]:
    def fuse(state: State) -> State:
        out: State = {}
        for key, value in state.items():
            head, _, tail = key.rpartition(".Attention.")
            module, _, kind = tail.partition(".")
            if not head:
                out[key] = value
            elif module == "out_proj":
                out[f"{head}.Attention.proj.{kind}"] = value
            elif module == "q_proj" and (bias or kind == "weight"):
                parts = [state[f"{head}.Attention.{part}.{kind}"] for part in ("q_proj", "k_proj", "v_proj")]
                out[f"{head}.Attention.{name}.{kind}"] = torch.cat(parts)
        return out

    return fuse


NAMINGS: dict[str, Callable[[State], State]] = {
    "q_proj": lambda state: state,
    "query": renamed(("query", "key", "value", "output_layer")),
    "qkv": fused("qkv", bias=True),
    "to_qkv": fused("to_qkv", bias=False),
}
WRAPPINGS: dict[str, Callable[[State, State], State]] = {
    "bare": lambda transformer, vqgan: transformer,
    "trainer": lambda transformer, vqgan: in_trainer(transformer),
    "whole": lambda transformer, vqgan: whole(transformer, vqgan),
    "whole in trainer": lambda transformer, vqgan: in_trainer(whole(transformer, vqgan)),
}


def in_trainer(state: State) -> State:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    return {
        "epoch": 7,
        "model": state,
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }


def whole(transformer: State, vqgan: State) -> State:
    return {f"vqgan.{k}": v for k, v in vqgan.items()} | {f"transformer.{k}": v for k, v in transformer.items()}


def test_tokens_of_the_reference_are_equal_exactly(plain: MaskGIT, reference: dict[str, np.ndarray]) -> None:
    images = torch.from_numpy(reference["masked_images_u8"])
    for batch in (1, 2, 6):
        tokens = torch.cat([plain.encode(part) for part in images.split(batch)])
        assert np.array_equal(tokens.numpy(), reference["tokens"])


def first_logits(model: MaskGIT, reference: dict[str, np.ndarray]) -> Tensor:
    tokens = torch.from_numpy(reference["tokens"]).long()
    tokens[torch.from_numpy(reference["token_mask"])] = model.num_codes
    return model.logits(tokens[:2])


def test_first_logits_of_the_reference_are_equal_in_float16(
    plain: MaskGIT, reference: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With attention written out all 33,280 are; PyTorch's fused attention sums in another order, by the last bits."""
    expected = torch.from_numpy(reference["first_logits"])
    product = first_logits(plain, reference)

    def written_out(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1) @ v

    monkeypatch.setattr(F, "scaled_dot_product_attention", written_out)
    exact = first_logits(plain, reference)
    assert torch.equal(exact.half(), expected)
    assert (product - exact).abs().max() < 1e-5  # float32; the largest logit is about 4


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("naming", NAMINGS)
def test_every_naming_in_every_wrapping_is_the_same_model(
    folder: Path, reference: dict[str, np.ndarray], naming: str, wrapping: str
) -> None:
    vqgan, transformer = read(folder / "VQGAN.pt"), read(folder / "transformer.pt")
    if naming == "to_qkv":
        transformer = without_biases(transformer)
    torch.save(transformer, folder / "transformer.pt")
    expected = first_logits(load(folder), reference)
    torch.save(WRAPPINGS[wrapping](NAMINGS[naming](transformer), vqgan), folder / "transformer.pt")
    assert torch.equal(first_logits(load(folder), reference), expected)


def test_the_namings_above_differ_in_what_they_compute_only_by_the_biases(
    folder: Path, plain: MaskGIT, reference: dict[str, np.ndarray]
) -> None:
    """The reference has biases, so that dropping them shows, and swapping q and k shows too."""
    state = read(folder / "transformer.pt")
    for change in (without_biases, renamed(("k_proj", "q_proj", "v_proj", "out_proj"))):
        torch.save(change(state), folder / "transformer.pt")
        assert not torch.equal(first_logits(load(folder), reference), first_logits(plain, reference))


def test_a_whole_model_brings_its_tokenizer_where_there_is_no_file_for_it(folder: Path, plain: MaskGIT) -> None:
    torch.save(whole(read(folder / "transformer.pt"), read(folder / "VQGAN.pt")), folder / "transformer.pt")
    (folder / "VQGAN.pt").unlink()
    state = load(folder).tokenizer.state_dict()
    assert all(torch.equal(state[key], value) for key, value in plain.tokenizer.state_dict().items())


def test_the_tokenizers_own_file_wins_over_the_one_in_a_whole_model(folder: Path, plain: MaskGIT) -> None:
    vqgan = {key: torch.zeros_like(value) for key, value in read(folder / "VQGAN.pt").items()}
    torch.save(whole(read(folder / "transformer.pt"), vqgan), folder / "transformer.pt")
    weight = load(folder).tokenizer.codebook.embedding.weight
    assert torch.equal(weight, plain.tokenizer.codebook.embedding.weight)


def test_no_tokenizer_anywhere_is_said(folder: Path) -> None:
    (folder / "VQGAN.pt").unlink()
    assert "VQGAN.pt" in refusal(folder)


def test_half_precision_weights_are_widened(folder: Path) -> None:
    state = {key: value.bfloat16() for key, value in read(folder / "transformer.pt").items()}
    torch.save(state, folder / "transformer.pt")
    assert torch.equal(load(folder).transformer.pos_emb, state["pos_emb"].float())


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("file", ["VQGAN.pt", "transformer.pt"])
def test_every_fault_is_named_in_the_files_own_names(folder: Path, file: str, naming: str) -> None:
    state = read(folder / file)
    if file == "transformer.pt":
        state = NAMINGS[naming](state)
        lost, misshaped, broken = (
            next(key for key in state if "blocks.1.Attention" in key and key.endswith("weight")),
            "tok_emb.weight",
            next(key for key in state if "blocks.0.Attention" in key and key.endswith("weight")),
        )
    else:
        lost, misshaped, broken = "quant_conv.bias", "codebook.embedding.weight", "decoder.model.25.bias"
    del state[lost]
    state[misshaped] = state[misshaped][:-1]
    state[broken] = state[broken].clone()
    state[broken].view(-1)[0] = torch.nan
    state["surprise"] = torch.zeros(1)
    torch.save(state, folder / file)
    message = refusal(folder)
    assert str(folder / file) in message
    for fault, key in {
        "missing": lost,
        "unexpected": "surprise",
        "misshaped": misshaped,
        "NaN": broken,
    }.items():
        said = next(part for part in message.split(";") if fault in part)
        assert key in said


def test_infinite_and_integer_tensors_are_named(folder: Path) -> None:
    state = read(folder / "transformer.pt")
    state["bias"] = torch.full_like(state["bias"], torch.inf)
    state["LN.weight"] = torch.ones(64, dtype=torch.int64)
    state["LN.bias"] = "text"
    torch.save(state, folder / "transformer.pt")
    message = refusal(folder)
    assert "NaN or infinite: bias" in message
    assert "no floating-point tensor: LN.weight, LN.bias" in message


def test_an_unknown_attention_naming_is_named_key_by_key_with_the_line_to_add(folder: Path) -> None:
    state = renamed(("alpha", "beta", "gamma", "delta"))(read(folder / "transformer.pt"))
    torch.save(state, folder / "transformer.pt")
    message = refusal(folder)
    for name in ("alpha", "beta", "gamma", "delta"):
        assert f"{name}.weight (64, 64), {name}.bias (64,)" in message
    assert 'attention_keys = {q = "alpha", k = "beta", v = "gamma", out = "delta"}' in message


def test_a_mixture_of_namings_is_refused(folder: Path) -> None:
    state = read(folder / "transformer.pt")
    state["blocks.0.Attention.query.weight"] = state.pop("blocks.0.Attention.q_proj.weight")
    torch.save(state, folder / "transformer.pt")
    message = refusal(folder)
    assert "missing: blocks.0.Attention.q_proj.weight" in message
    assert "unexpected: blocks.0.Attention.query.weight" in message


def test_many_missing_keys_are_all_named_and_gathered_by_block(folder: Path) -> None:
    config = (folder / "MaskGit.yml").read_text()
    (folder / "MaskGit.yml").write_text(config.replace("n_layers: 2", "n_layers: 6"))
    assert "blocks.{2,3,4,5}.Attention.q_proj.weight" in refusal(folder)


class Payload:
    """Its unpickling would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("file", ["VQGAN.pt", "transformer.pt"])
@pytest.mark.parametrize(
    "content", ["empty", "truncated", "text", "pickle", "code", "tensor", "list", "other", "swapped"]
)
def test_what_is_no_state_dict_is_refused_and_never_run(folder: Path, file: str, content: str) -> None:
    path, ran = folder / file, folder / "ran"
    if content == "empty":
        path.write_bytes(b"")
    elif content == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif content == "text":
        path.write_text("not a checkpoint\n" * 50)
    elif content == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}))
    elif content == "code":
        torch.save(Payload(ran), path)
    elif content == "tensor":
        torch.save(torch.zeros(3), path)
    elif content == "list":
        torch.save([torch.zeros(3)], path)
    elif content == "other":
        torch.save({"weight": torch.zeros(3), 5: "x"}, path)
    else:
        shutil.copyfile(folder / ("transformer.pt" if file == "VQGAN.pt" else "VQGAN.pt"), path)
    assert str(path) in refusal(folder)
    assert not ran.exists()
