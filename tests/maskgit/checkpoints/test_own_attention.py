"""The user's own attention class in the common transformer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.data.loading import load_test_set
from maskgit.errors import CheckpointError
from maskgit.masks import token_mask
from maskgit.model import MaskGIT

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = ("01-seed-qkv_layer", "10-generate_qkv-interleaved", "12-per-head-list-dim1")

USUAL = """
import torch
from torch import nn

class MyAttention(nn.Module):
    def __init__(self, dim, num_heads=16):
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(dim, dim) for _ in range(3))
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x):
        B, N, D = x.shape
        q, k, v = (p(x).view(B, N, self.num_heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        weights = (q @ k.transpose(-1, -2) / (D // self.num_heads) ** 0.5).softmax(-1)
        return self.out_proj((weights @ v).transpose(1, 2).reshape(B, N, D))
"""
CLASS = "layers.py:MyAttention"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for their threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def lab(shared: Path, tmp_path: Path) -> Path:
    for name in ("VQGAN.pt", "transformer.pt", "VQGAN.yml", "MaskGit.yml"):
        shutil.copyfile(shared / "lab-reference" / name, tmp_path / name)
    (tmp_path / "layers.py").write_text(USUAL)
    return tmp_path


def load(folder: Path, attention: str | None = CLASS, **files: Path) -> MaskGIT:
    model = load_model(locate(".", folder, attention=attention, **files))
    assert isinstance(model, MaskGIT)
    return model


def change(folder: Path, old: str, new: str) -> None:
    text = (folder / "layers.py").read_text()
    assert old in text
    (folder / "layers.py").write_text(text.replace(old, new))


def refusal(folder: Path, attention: str = CLASS) -> str:
    with pytest.raises(CheckpointError) as caught:
        model = load(folder, attention)
        model.logits(torch.zeros(1, 256, dtype=torch.int64))
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


def case_folder(shared: Path, name: str, folder: Path) -> Path:
    """A copy of a field case, its tokenizer the one that all cases share."""
    case = shared / "field-cases" / name
    for path in [*case.glob("model/*"), case / "layers.py"]:
        shutil.copyfile(path, folder / path.name)
    shutil.copyfile(shared / "lab-reference" / "VQGAN.pt", folder / "VQGAN.pt")
    return case


@pytest.mark.parametrize("name", CASES)
def test_the_authors_class_gives_the_authors_logits_and_likelihood(shared: Path, tmp_path: Path, name: str) -> None:
    case = case_folder(shared, name, tmp_path)
    model = load(tmp_path, "layers.py:MultiHeadAttention")
    tokens = torch.from_numpy(np.load(case / "tokens.npy"))
    expected = np.load(case / "expected_logits.npy")
    for logits in (model.logits(tokens), torch.cat([model.logits(row[None]) for row in tokens])):
        assert np.abs(logits.numpy() - expected).max() <= 1e-4
    data = shared / "field-cases" / "data"
    test_set = load_test_set(
        masks=data / "mask64", masked_images=data / "masked_image", ground_truth=data / "test_gt.csv", limit=4
    )
    assert test_set.truth is not None
    truth = model.encode(torch.from_numpy(test_set.truth))
    mask = token_mask(torch.from_numpy(test_set.hole), model.cell)
    seen = torch.where(mask, model.num_codes, model.encode(torch.from_numpy(test_set.masked)))
    log_p = model.logits(seen)[..., : model.num_codes].log_softmax(-1)
    nll = -log_p.gather(2, truth[..., None]).squeeze(2)
    per_image = nll.masked_fill(~mask, 0).sum(1) / mask.sum(1)
    np.testing.assert_allclose(per_image.numpy(), np.load(case / "expected_nll.npy"), atol=1e-4, rtol=0)


def test_every_case_with_a_class_of_its_own_is_tried(shared: Path) -> None:
    assert {path.parent.name for path in shared.glob("field-cases/*/layers.py")} == set(CASES)


@pytest.mark.parametrize("prefix", ["Attention", "attn", "MultiHeadAttention"])
@pytest.mark.parametrize("whole", [False, True])
def test_the_usual_arithmetic_by_the_users_class_is_our_own(lab: Path, prefix: str, whole: bool) -> None:
    ours = load(lab, None)
    state = torch.load(lab / "transformer.pt", weights_only=True)
    state = {("transformer." if whole else "") + k.replace("Attention", prefix): v for k, v in state.items()}
    torch.save({"model": state, "epoch": 3}, lab / "transformer.pt")
    tokens = torch.randint(65, (3, 256), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(load(lab).logits(tokens), ours.logits(tokens), atol=1e-5, rtol=0)


def test_what_the_report_says(lab: Path) -> None:
    assert not any("own class" in note for note in load(lab, None).reading)
    (note,) = load(lab).reading
    assert "user's own class MyAttention" in note
    assert "layers.py" in note
    assert load(lab).caveats == ()
    change(lab, ".softmax(-1)", ".softmax(0)")
    (caveat,) = load(lab).caveats
    assert "one by one" in caveat


MIXING = {
    "softmax over the batch": (".softmax(-1)", ".softmax(0)"),
    "heads and batch exchanged": ("(weights @ v).transpose(1, 2).reshape", "(weights @ v).transpose(0, 2).reshape"),
    "runs on one image only": ("B, N, D = x.shape\n", "B, N, D = x.shape\n        assert B == 1\n"),
    "mean over the batch": ("weights = (", "k = k - k.mean(0)\n        weights = ("),
}


@pytest.mark.parametrize("mixing", MIXING)
def test_a_class_that_mixes_the_batch_runs_image_by_image(lab: Path, mixing: str) -> None:
    change(lab, *MIXING[mixing])
    model = load(lab)
    assert len(model.caveats) == 1
    tokens = torch.randint(65, (3, 256), generator=torch.Generator().manual_seed(0))
    alone = torch.cat([model.logits(row[None]) for row in tokens])
    assert torch.equal(model.logits(tokens), alone)
    assert torch.equal(model.logits(tokens.flip(0)), alone.flip(0))


def test_a_class_that_does_not_mix_runs_in_batches(lab: Path) -> None:
    model = load(lab)
    assert model.caveats == ()
    sizes: list[int] = []
    model.transformer.blocks[0].register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    model.logits(torch.zeros(3, 256, dtype=torch.int64))
    assert sizes == [3]


def test_the_fingerprint_is_that_of_the_weights_and_of_the_code(lab: Path) -> None:
    plain, own = locate(".", lab), locate(".", lab, attention=CLASS)
    assert plain.fingerprint != own.fingerprint == load(lab).fingerprint
    (lab / "unused.py").write_text("")
    assert locate(".", lab, attention=CLASS).fingerprint == own.fingerprint
    (lab / "layers.py").write_text(USUAL + "# another version\n")
    assert locate(".", lab, attention=CLASS).fingerprint != own.fingerprint


def test_loading_disturbs_no_global_state(lab: Path) -> None:
    (lab / "layers.py").write_text(
        "import torch, os, sys\ntorch.manual_seed(5)\ntorch.set_default_dtype(torch.float64)\nos.chdir('/')\n"
        "sys.path.insert(0, '/nowhere')\n" + USUAL
    )
    before: tuple[Any, ...] = (torch.get_rng_state(), torch.get_default_dtype(), Path.cwd())
    model = load(lab)
    assert model.logits(torch.zeros(1, 256, dtype=torch.int64)).dtype == torch.float32
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_default_dtype(), Path.cwd()) == before[1:]


def test_integer_buffers_of_the_class_are_read_too(lab: Path) -> None:
    change(lab, "super().__init__()", 'super().__init__(); self.register_buffer("order", torch.arange(dim))')
    state = torch.load(lab / "transformer.pt", weights_only=True)
    assert "missing order" in refusal(lab)
    torch.save(state | {f"blocks.{i}.Attention.order": torch.arange(64) for i in range(2)}, lab / "transformer.pt")
    assert load(lab).reading
    torch.save(state | {f"blocks.{i}.Attention.order": torch.arange(63) for i in range(2)}, lab / "transformer.pt")
    assert "(64,)" in refusal(lab)


FAULTS = {
    "another constructor": ("(self, dim, num_heads=16)", "(self, dim, num_heads)", "MyAttention(64)"),
    "constructor raises": ("super().__init__()", "super().__init__(); 1 / 0", "ZeroDivisionError"),
    "no module": ("(nn.Module)", "", "MyAttention"),
    "fewer weights": ("self.out_proj = ", "self.proj = ", "unexpected out_proj.bias, out_proj.weight"),
    "more weights": ("super().__init__()", "super().__init__(); self.extra = nn.Linear(dim, 2)", "missing extra.bias"),
    "other sizes": ("(nn.Linear(dim, dim)", "(nn.Linear(dim, 2 * dim)", "misshaped: blocks.0.Attention.q_proj.weight"),
    "another shape": ("reshape(B, N, D))", "reshape(B, N, D))[:, 1:]", "returns (1, 255, 64)"),
    "a tuple": ("reshape(B, N, D))", "reshape(B, N, D)), weights", "returns a tuple"),
    "forward raises": ("B, N, D = x.shape", "B, N = x.shape", "forward: ValueError"),
    "not finite": (" / (D // self.num_heads)", " / 0", "NaN"),
    "dropout that never ends": (".softmax(-1)", ".softmax(-1); weights = torch.dropout(weights, .5, True)", "every time"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said_in_one_line_with_file_and_class(lab: Path, fault: str) -> None:
    old, new, said = FAULTS[fault]
    change(lab, old, new)
    message = refusal(lab)
    assert said in message
    assert "layers.py:MyAttention" in message or "transformer.pt" in message


def test_it_goes_with_the_lab_layout_alone(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(USUAL)
    for spec in (str(tiny_checkpoint), "python:json:loads"):
        with pytest.raises(CheckpointError, match="leave out attention"):
            locate(spec, tmp_path, attention=CLASS)
