"""Native checkpoints: what is written is what is read, and what is damaged is said."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from maskgit.checkpoints.locate import locate, with_normalisation
from maskgit.checkpoints.native import import_checkpoint, load_model, load_tokenizer, save_native
from maskgit.config import TokenizerConfig, TransformerConfig
from maskgit.errors import CheckpointError, InputError
from maskgit.model import MaskGIT
from maskgit.tokenizer import VQGAN
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKENIZER = TokenizerConfig(
    img_resolution=32,
    latent_resolution=8,
    latent_dim=8,
    num_codebook_vectors=24,
    enc_channels=(32,) * 6,
    dec_channels=(32,) * 5,
    enc_blocks=1,
    dec_blocks=1,
    mean=(0.1, 0.2, 0.3),
    std=(0.5, 0.6, 0.7),
)
TRANSFORMER = TransformerConfig(
    num_image_tokens=64, num_codebook_vectors=24, dim=32, n_layers=2, hidden_dim=48, n_heads=4
)
IMAGES = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for their threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def networks() -> tuple[VQGAN, BidirectionalTransformer]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VQGAN(TOKENIZER), BidirectionalTransformer(TRANSFORMER)


@pytest.fixture
def saved(tmp_path: Path, networks: tuple[VQGAN, BidirectionalTransformer]) -> Path:
    save_native(tmp_path / "model", *networks, name="tiny", extra={"step": 3})
    return tmp_path / "model"


def load(folder: Path) -> MaskGIT:
    model = load_model(locate(str(folder), folder.parent))
    assert isinstance(model, MaskGIT)
    return model


def refusal(action: Callable[[], object], kind: type[InputError] = CheckpointError) -> str:
    """The message of the error that `action` must raise: one line."""
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


def test_a_saved_model_computes_bit_for_bit_what_the_original_does(
    saved: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    original = MaskGIT(*networks, fingerprint="x")
    model = load(saved)
    tokens = original.encode(IMAGES)
    assert torch.equal(model.encode(IMAGES), tokens)
    assert torch.equal(model.logits(tokens), original.logits(tokens))
    assert torch.equal(model.render(tokens), original.render(tokens))


def test_sizes_statistics_and_extra_come_back(saved: Path) -> None:
    checkpoint = locate(str(saved), Path())
    assert (checkpoint.name, checkpoint.kind) == ("tiny", "native")
    assert (checkpoint.tokenizer, checkpoint.transformer) == (TOKENIZER, TRANSFORMER)
    assert checkpoint.extra == {"step": 3}


def test_half_precision_halves_the_file_and_loads_the_rounded_weights_as_float32(
    tmp_path: Path, saved: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    save_native(tmp_path / "half", *networks, name="tiny", half=True)
    full, half = (folder / "transformer.safetensors" for folder in (saved, tmp_path / "half"))
    assert half.stat().st_size < 0.6 * full.stat().st_size
    state = load(tmp_path / "half").transformer.state_dict()
    for key, weight in networks[1].state_dict().items():
        assert state[key].dtype == torch.float32
        assert torch.equal(state[key], weight.half().float())


def test_saving_twice_writes_the_same_bytes_and_leaves_no_temporary_files(
    saved: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    assert set(before) == {"model.json", "tokenizer.safetensors", "transformer.safetensors"}
    save_native(saved, *networks, name="tiny", extra={"step": 3})
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_loading_leaves_the_global_generator_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load(saved)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_models_share_one_tokenizer(tmp_path: Path, networks: tuple[VQGAN, BidirectionalTransformer]) -> None:
    tokenizer, transformer = networks
    save_native(tmp_path / "tokenizer", tokenizer, None, name="tokenizer")
    for name in ("a", "b"):
        save_native(tmp_path / name, tmp_path / "tokenizer", transformer, name=name)
        assert not (tmp_path / name / "tokenizer.safetensors").exists()
    files = json.loads((tmp_path / "a" / "model.json").read_text())["files"]
    assert files["tokenizer"]["path"] == "../tokenizer/tokenizer.safetensors"
    assert torch.equal(load(tmp_path / "a").encode(IMAGES), MaskGIT(*networks, fingerprint="x").encode(IMAGES))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("tokenizer", "a", "b"):
        (tmp_path / name).rename(moved / name)
    assert locate("a", moved).fingerprint == locate("b", moved).fingerprint


def test_a_tokenizer_alone_loads_as_a_tokenizer_and_is_refused_for_decoding(
    tmp_path: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    save_native(tmp_path / "stage1", networks[0], None, name="stage1")
    tokenizer = load_tokenizer(tmp_path / "stage1")
    images = IMAGES / 255.0
    with torch.inference_mode():
        assert torch.equal(tokenizer.encode(images), networks[0].eval().encode(images))
    assert "transformer is missing" in refusal(lambda: locate("stage1", tmp_path))


def test_the_fingerprint_follows_weights_and_statistics_but_not_name_or_place(
    tmp_path: Path, saved: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    checkpoint = locate(str(saved), Path())
    assert load(saved).fingerprint == checkpoint.fingerprint
    save_native(tmp_path / "other-name", *networks, name="other")
    assert locate("other-name", tmp_path).fingerprint == checkpoint.fingerprint
    save_native(tmp_path / "half", *networks, name="tiny", half=True)
    assert locate("half", tmp_path).fingerprint != checkpoint.fingerprint
    shifted = with_normalisation(checkpoint, (0.5, 0.5, 0.5), None)
    assert shifted.fingerprint != checkpoint.fingerprint
    assert with_normalisation(shifted, TOKENIZER.mean, None) == checkpoint
    model = load_model(shifted)
    assert isinstance(model, MaskGIT)
    assert torch.equal(model.tokenizer.mean.flatten(), torch.full((3,), 0.5))
    assert torch.equal(model.tokenizer.std.flatten(), torch.tensor(TOKENIZER.std))


@pytest.mark.parametrize("file", ["tokenizer.safetensors", "transformer.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "remove"])
def test_a_damaged_file_is_named(saved: Path, file: str, damage: str) -> None:
    path = saved / file
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-1] ^= 1
    path.unlink()
    if damage != "remove":
        path.write_bytes({"flip": bytes(data), "truncate": bytes(data[:1000]), "empty": b""}[damage])
    message = refusal(lambda: locate(str(saved), Path()))
    assert str(path) in message
    assert ("sha256" in message) == (damage in ("flip", "truncate"))


def test_a_file_that_changes_between_hashing_and_loading_is_refused(saved: Path) -> None:
    checkpoint = locate(str(saved), Path())
    (saved / "transformer.safetensors").write_bytes((saved / "tokenizer.safetensors").read_bytes())
    assert "changed" in refusal(lambda: load_model(checkpoint))


def edit(folder: Path, *keys: str, to: object) -> None:
    """Set one entry of model.json."""
    data = json.loads((folder / "model.json").read_text())
    table = data
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = to
    (folder / "model.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("keys", "to", "said"),
    [
        (("format",), 2, "format"),
        (("surprise",), 1, "surprise"),
        (("name",), 3, "name"),
        (("files",), [], "files"),
        (("files", "transformer"), "x", "files.transformer"),
        (("tokenizer", "enc_channels"), [32, 32, 32, 32, 32, 33], "tokenizer.enc_channels"),
        (("tokenizer", "dec_channels"), [32, 32], "tokenizer.dec_channels"),
        (("tokenizer", "img_resolution"), 48, "img_resolution"),
        (("tokenizer", "image_channels"), 1, "image_channels"),
        (("tokenizer", "latent_dim"), "8", "latent_dim"),
        (("tokenizer", "latent_dim"), True, "latent_dim"),
        (("tokenizer", "latent_dim"), 0, "latent_dim"),
        (("tokenizer", "std"), [0.5, 0.5, 0.0], "std"),
        (("tokenizer", "mean"), [0.5], "mean"),
        (("tokenizer", "mean"), [0.5, 0.5, float("nan")], "mean"),
        (("tokenizer", "depth"), 3, "depth"),
        (("tokenizer",), None, "tokenizer"),
        (("transformer", "n_heads"), 5, "dim"),
        (("transformer", "num_image_tokens"), 65, "num_image_tokens"),
        (("transformer", "num_codebook_vectors"), 25, "num_codebook_vectors"),
    ],
)
def test_a_wrong_entry_of_model_json_is_named(saved: Path, keys: tuple[str, ...], to: object, said: str) -> None:
    edit(saved, *keys, to=to)
    message = refusal(lambda: locate(str(saved), Path()))
    assert str(saved / "model.json") in message
    assert said in message


def test_sizes_that_are_not_those_of_the_weights_name_the_tensors(saved: Path) -> None:
    edit(saved, "transformer", "hidden_dim", to=64)
    message = refusal(lambda: load(saved))
    assert "blocks.1.MLP.0.weight (48, 32) for (64, 32)" in message
    assert "transformer.safetensors" in message


def test_weights_that_are_not_finite_are_not_written(
    tmp_path: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    transformer = BidirectionalTransformer(TRANSFORMER)
    with torch.no_grad():
        transformer.pos_emb[0, 0] = 1e6  # finite in float32, infinite in float16
    assert "pos_emb" in refusal(lambda: save_native(tmp_path / "x", networks[0], transformer, name="x", half=True))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, networks: tuple[VQGAN, BidirectionalTransformer]
) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in refusal(lambda: save_native(tmp_path / "file" / "x", *networks, name="x"), InputError)


def test_an_interrupted_write_leaves_the_former_checkpoint(
    saved: Path, networks: tuple[VQGAN, BidirectionalTransformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    assert "No space" in refusal(lambda: save_native(saved, *networks, name="new", half=True), InputError)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_an_imported_lab_folder_is_the_same_model(shared: Path, tmp_path: Path) -> None:
    lab = shared / "lab-reference"
    import_checkpoint(locate(str(lab), Path()), tmp_path / "native")
    assert [path.name for path in tmp_path.iterdir()] == ["native"]
    original, native = load(lab), load(tmp_path / "native")
    for network in ("tokenizer", "transformer"):
        states = [getattr(model, network).state_dict() for model in (original, native)]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    checkpoints = [locate(str(folder), Path()) for folder in (lab, tmp_path / "native")]
    assert checkpoints[0].tokenizer == checkpoints[1].tokenizer
    assert checkpoints[0].transformer == checkpoints[1].transformer


def test_import_refuses_a_folder_in_use_and_a_native_source(shared: Path, tmp_path: Path, saved: Path) -> None:
    before = sorted(saved.iterdir())
    assert "holds files already" in refusal(
        lambda: import_checkpoint(locate("lab-reference", shared), saved), InputError
    )
    assert sorted(saved.iterdir()) == before
    assert "native" in refusal(lambda: import_checkpoint(locate(str(saved), Path()), tmp_path / "out"))
    assert not (tmp_path / "out").exists()
