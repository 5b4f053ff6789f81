"""What decoding needs of a model: shapes, ranges, independence of the batch, and factories of the user's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch

from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import CheckpointError, InputError
from maskgit.model import MaskedImageModel, MaskGIT, checked_device, chosen_device
from maskgit.tokenizer import VQGAN
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from pathlib import Path

TOKENIZER = TokenizerConfig(
    img_resolution=32,
    latent_resolution=8,
    latent_dim=8,
    num_codebook_vectors=24,
    enc_channels=(32,) * 6,
    dec_channels=(32,) * 5,
    enc_blocks=1,
    dec_blocks=1,
)
TRANSFORMER = TransformerConfig(
    num_image_tokens=64, num_codebook_vectors=24, dim=32, n_layers=2, hidden_dim=48, n_heads=4
)
IMAGES = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def model() -> MaskGIT:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer, transformer = VQGAN(TOKENIZER).bfloat16(), BidirectionalTransformer(TRANSFORMER)
    return MaskGIT(tokenizer, transformer, fingerprint="abc")


def test_it_is_what_decoding_needs(model: MaskGIT) -> None:
    assert isinstance(model, MaskedImageModel)
    assert (model.num_tokens, model.num_codes, model.image_size, model.cell) == (64, 24, 32, 4)
    tokens = model.encode(IMAGES)
    assert tokens.shape == (5, 64)
    assert tokens.dtype == torch.int64
    assert int(tokens.min()) >= 0
    assert int(tokens.max()) < 24
    tokens = tokens.index_fill(1, torch.arange(0, 64, 2), model.num_codes)
    logits = model.logits(tokens)
    assert logits.shape == (5, 64, 25)
    assert logits.dtype == torch.float32
    images = model.render(model.encode(IMAGES))
    assert images.shape == IMAGES.shape
    assert images.dtype == torch.uint8


def test_nothing_it_computes_can_be_trained_or_depends_on_chance(model: MaskGIT) -> None:
    tokens = model.encode(IMAGES)
    assert model.logits(tokens).is_inference()
    assert torch.equal(model.logits(tokens), model.logits(tokens))
    networks = (model.tokenizer, model.transformer)
    assert not any(net.training or p.requires_grad for net in networks for p in net.parameters())
    assert all(p.dtype == torch.float32 for net in networks for p in net.parameters())
    assert model.num_parameters == sum(p.numel() for net in networks for p in net.parameters())


def test_encoding_normalises_levels_of_0_to_255_as_0_to_1(model: MaskGIT) -> None:
    with torch.inference_mode():
        expected = model.tokenizer.encode(IMAGES.float() / 255.0)
    assert torch.equal(model.encode(IMAGES), expected)


@pytest.mark.parametrize(
    "images", [torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.zeros(1, 3, 32, 32), IMAGES[:, :1]]
)
def test_images_it_was_not_made_for_are_refused(model: MaskGIT, images: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"takes \(3, 32, 32\)"):
        model.encode(images)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", "meta"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_device(device)
    assert repr(device) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_asked_for_where_none_is_is_refused() -> None:
    with pytest.raises(InputError, match=r"device = 'cuda'.*cpu"):
        checked_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_computes_the_same_within_float32(model: MaskGIT) -> None:
    tokens = model.encode(IMAGES)
    expected = model.logits(tokens)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer, transformer = VQGAN(TOKENIZER).bfloat16(), BidirectionalTransformer(TRANSFORMER)
    on_gpu = MaskGIT(tokenizer, transformer, fingerprint="abc", device="cuda")
    assert (on_gpu.encode(IMAGES).cpu() == tokens).float().mean() >= 0.99
    assert (on_gpu.logits(tokens).cpu() - expected).abs().max() <= 1e-4
    difference = on_gpu.render(tokens).cpu().int() - model.render(tokens).int()
    assert difference.abs().max() <= 1


FACTORY = """
import torch

class Model:
    num_tokens, num_codes, image_size, cell = 64, 24, 32, 4
    def encode(self, images_u8): return torch.zeros(len(images_u8), 64, dtype=torch.int64)
    def logits(self, tokens): return torch.zeros(len(tokens), 64, 25)
    def render(self, tokens): return torch.zeros(len(tokens), 3, 32, 32, dtype=torch.uint8)

def make(): return Model()
def half(): return object()
"""


@pytest.mark.parametrize(
    ("declaration", "declared"),
    [
        ("FINGERPRINT = 'v1'", "v1"),
        ("make.fingerprint = 'v2'", "v2"),
        ("Model.fingerprint = 'v3'", "v3"),
        ("", None),
    ],
)
def test_a_factory_declares_its_fingerprint_or_has_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declaration: str, declared: str | None
) -> None:
    (tmp_path / "my_factory.py").write_text(FACTORY + declaration)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_factory", raising=False)
    checkpoint = locate("python:my_factory:make", tmp_path)
    model = load_model(checkpoint)
    assert isinstance(model, MaskedImageModel)
    assert model.fingerprint == (declared or checkpoint.fingerprint)
    monkeypatch.delitem(sys.modules, "my_factory")


def test_a_factory_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_factory.py").write_text(FACTORY)
    (tmp_path / "broken_factory.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_factory", raising=False)
    faults = {
        "python:my_factory:absent": "no function absent",
        "python:my_factory:half": "num_tokens",
        "python:broken_factory:make": "no_such_module",
    }
    for spec, said in faults.items():
        with pytest.raises(CheckpointError, match=said) as caught:
            load_model(locate(spec, tmp_path))
        assert len(str(caught.value).splitlines()) == 1
    monkeypatch.delitem(sys.modules, "my_factory")


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, taken in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert chosen_device("auto").type == taken
    assert chosen_device("cpu").type == "cpu"
