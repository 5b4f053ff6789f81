"""`lab-code:PATH`: a checkout computes with its own code."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from maskgit.checkpoints.locate import locate, with_normalisation
from maskgit.checkpoints.native import load_model
from maskgit.errors import CheckpointError
from maskgit.model import MaskGIT

if TYPE_CHECKING:
    from collections.abc import Iterator

_spec = spec_from_file_location("checkout", Path(__file__).with_name("checkout.py"))
assert _spec is not None
assert _spec.loader is not None
checkout = module_from_spec(_spec)
_spec.loader.exec_module(checkout)

TOKENS = torch.randint(65, (3, 256), generator=torch.Generator().manual_seed(0))
LAYERS = "models/Transformer/modules/layers.py"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for their threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def repo(shared: Path, tmp_path: Path) -> Path:
    return checkout.write_checkout(tmp_path / "repo", shared / "lab-reference")


def load(repo: Path, more: str = "", **files: Path) -> MaskGIT:
    model = load_model(locate(f"lab-code:repo{more}", repo.parent, **files))
    assert isinstance(model, MaskGIT)
    return model


def refusal(repo: Path, more: str = "") -> str:
    with pytest.raises(CheckpointError) as caught:
        load(repo, more).logits(TOKENS)
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    assert "_user_code_" not in message
    return message


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize("more", ["", ":models/VQGAN_Transformer.py:MaskGit"])
def test_a_checkouts_own_code_computes_what_the_reference_says(shared: Path, repo: Path, more: str) -> None:
    modules = set(sys.modules)
    model = load(repo, more)
    with np.load(shared / "lab-reference" / "reference.npz") as reference:
        images, tokens = torch.from_numpy(reference["masked_images_u8"]), torch.from_numpy(reference["tokens"]).long()
        mask, logits = torch.from_numpy(reference["token_mask"]), reference["first_logits"]
        canvas, decoded = torch.from_numpy(reference["cosine_12_tokens"][-1]).long(), reference["cosine_12_image_u8"]
    assert torch.equal(model.encode(images), tokens)
    first = model.logits(torch.where(mask, model.num_codes, tokens)[:2])
    assert np.abs(first.numpy() - logits.astype(np.float32)).max() <= 1e-2  # the reference is float16
    assert np.abs(model.render(canvas).numpy().astype(int) - decoded).max() <= 1
    assert model.reading[0].startswith("computed by the code of the checkout: MaskGit")
    assert "computes the same" in model.reading[1]
    assert not model.caveats
    assert not {"models", "utils"} & (set(sys.modules) - modules)


def test_another_arithmetic_is_theirs_and_said(repo: Path) -> None:
    usual = load(repo)
    change(repo / LAYERS, ".transpose(1, 2).reshape(B, N, D)", ".reshape(B, N, D)")
    model = load(repo)
    assert (model.logits(TOKENS) - usual.logits(TOKENS)).abs().max() > 0.01
    (caveat,) = model.caveats
    assert "differs from their code" in caveat
    assert "max |Δ logit|" in caveat
    assert model.fingerprint != usual.fingerprint


def test_a_batch_that_mixes_images_is_taken_apart(repo: Path) -> None:
    change(repo / LAYERS, ".softmax(-1)", ".softmax(0)")
    model = load(repo)
    assert any("one by one" in caveat for caveat in model.caveats)
    assert torch.equal(model.logits(TOKENS), torch.cat([model.logits(row[None]) for row in TOKENS]))


def test_names_that_only_their_code_knows_load(repo: Path) -> None:
    """Their class says which tensor is which: no naming has to be known."""
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        change(repo / LAYERS, f"self.{name}", f"self.my_{name}_layer")
    file = repo / checkout.WEIGHTS["transformer.pt"]
    state = torch.load(file, weights_only=True)
    state = {re.sub(r"(\w+_proj)", r"my_\1_layer", key): tensor for key, tensor in state.items()}
    torch.save({"model_state_dict": state}, file)
    assert load(repo).logits(TOKENS).isfinite().all()


def test_epochs_and_configs_may_be_named(repo: Path) -> None:
    file = repo / checkout.WEIGHTS["transformer.pt"]
    (file.parent / "epoch_2.pt").write_bytes(file.read_bytes())
    message = refusal(repo)
    assert "best_val.pth" in message
    assert "epoch_2.pt" in message
    assert "model.transformer" in message
    assert load(repo, transformer=Path("repo/transformer_checkpoints/epoch_2.pt")).logits(TOKENS).isfinite().all()


def test_paths_of_its_config_that_lead_nowhere_are_found_by_name(repo: Path) -> None:
    config = repo / "config" / "MaskGit.yml"
    change(config, "models/VQGAN/checkpoints/VQGAN.pt", "/home/somebody/VQGAN.pt")
    assert "computes the same" in load(repo).reading[1]


def test_the_fingerprint_follows_code_configs_weights_and_statistics(repo: Path) -> None:
    def fingerprint() -> str:
        return locate("lab-code:repo", repo.parent).fingerprint

    first = fingerprint()
    assert first == load(repo).fingerprint
    (repo / "inpainting.py").write_text("# no part of the model\n")
    assert fingerprint() == first
    seen = {first}
    for place in (LAYERS, "models/VQGAN/__init__.py", "utils.py", "config/MaskGit.yml"):
        with (repo / place).open("a") as file:
            file.write("# changed\n")
        seen.add(fingerprint())
    assert len(seen) == 5
    checkpoint = locate("lab-code:repo", repo.parent)
    assert with_normalisation(checkpoint, (0.5, 0.5, 0.5), None).fingerprint not in seen


def test_nothing_of_it_runs_before_it_is_loaded(repo: Path) -> None:
    (repo / "utils.py").write_text("raise RuntimeError('ran')\n")
    assert locate("lab-code:repo", repo.parent).kind == "lab-code"
    assert "ran" in refusal(repo)


FAULTS = {
    "no class": ("models/VQGAN_Transformer.py", "class MaskGit(", "class Other(", "a class MaskGit"),
    "two classes": ("models/VQGAN/vqgan.py", "class VQGAN(", "class MaskGIT: pass\nclass VQGAN(", "MaskGIT"),
    "missing key": ("models/VQGAN_Transformer.py", 'configs["gamma_type"]', 'configs["gamma"]', "KeyError: 'gamma'"),
    "missing package": ("utils.py", "import math", "import not_installed_here", "not_installed_here"),
    "other weights": (LAYERS, "self.out_proj", "self.projection", "projection.weight"),
    "no transformer": ("models/VQGAN_Transformer.py", "self.transformer = Bidirectional", "Bidirectional", "no transformer"),
    "no config": ("config/MaskGit.yml", "model_param:", "parameters:", "model_param"),
    "raises": (LAYERS, "B, N, D = x.shape", "1 / 0", "ZeroDivisionError"),
    "no logits": ("models/Transformer/transformer.py", " + self.bias", " [..., :-1]", "returns no logits of (1, 256, 65)"),
    "no tokens": ("models/VQGAN/vqgan.py", "return quantised, indices,", "return quantised,", "encode returns no"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said_in_one_line(repo: Path, fault: str) -> None:
    place, old, new, said = FAULTS[fault]
    change(repo / place, old, new)
    assert said in refusal(repo)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (":models/gone.py:MaskGit", "no file"),
        (":models/VQGAN_Transformer.py:Gone", "has no class or function Gone"),
        ("-elsewhere", "no folder"),
        (":models/VQGAN/vqgan.py:VQGAN", "VQGAN"),
    ],
)
def test_a_wrong_place_is_said(repo: Path, more: str, said: str) -> None:
    assert said in refusal(repo, more)


def test_two_checkouts_in_one_run_do_not_mix(repo: Path, shared: Path) -> None:
    other = checkout.write_checkout(repo.parent / "other", shared / "lab-reference")
    change(other / LAYERS, ".transpose(1, 2).reshape(B, N, D)", ".reshape(B, N, D)")
    first, second = load(repo), load_model(locate("lab-code:other", repo.parent))
    ours = load_model(locate(str(shared / "lab-reference"), Path()))
    assert (first.logits(TOKENS) - ours.logits(TOKENS)).abs().max() < 1e-4
    assert (second.logits(TOKENS) - ours.logits(TOKENS)).abs().max() > 1e-2
