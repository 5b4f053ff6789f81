"""Finding a checkpoint: which files, which sizes, without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maskgit.checkpoints.declared import Declared, parse_keys
from maskgit.checkpoints.locate import bundled, locate
from maskgit.config import TokenizerConfig
from maskgit.errors import CheckpointError, InputError


def refusal(spec: str | None, base: Path, **files: Path) -> str:
    """The message with which the checkpoint must be refused: one line."""
    with pytest.raises(CheckpointError) as caught:
        locate(spec, base, **files)
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def lab(shared: Path, tmp_path: Path) -> Path:
    for name in ("VQGAN.pt", "transformer.pt", "VQGAN.yml", "MaskGit.yml"):
        shutil.copyfile(shared / "lab-reference" / name, tmp_path / name)
    return tmp_path


def test_locating_imports_no_torch(shared: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from maskgit.checkpoints.locate import locate; "
        f"print(locate({str(shared / 'lab-reference')!r}, Path()).kind, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lab", "False"]


def test_sizes_of_a_lab_folder(shared: Path) -> None:
    found = locate("lab-reference", shared)
    assert found.name == "lab-reference"
    assert found.kind == "lab"
    assert found.tokenizer is not None
    assert found.transformer is not None
    assert found.tokenizer.enc_channels == (32, 32, 32, 64, 64, 64)
    assert (found.tokenizer.num_tokens, found.tokenizer.cell) == (256, 4)
    assert (found.transformer.dim, found.transformer.n_heads, found.transformer.mask_token) == (64, 16, 64)
    usual = TokenizerConfig()
    assert (found.tokenizer.mean, found.tokenizer.std) == (usual.mean, usual.std)


@pytest.mark.parametrize("name", ["best_ckpt.pt", "epoch_12.pt"])
def test_the_transformer_may_have_another_name(lab: Path, name: str) -> None:
    before = locate(str(lab), Path())
    (lab / "transformer.pt").rename(lab / name)
    after = locate(str(lab), Path())
    assert after.files["transformer"] == lab / name
    assert after.fingerprint == before.fingerprint


def test_several_possible_transformers_are_not_guessed_between(lab: Path) -> None:
    (lab / "transformer.pt").rename(lab / "epoch_1.pt")
    shutil.copyfile(lab / "epoch_1.pt", lab / "epoch_2.pt")
    message = refusal(str(lab), Path())
    assert "epoch_1.pt" in message
    assert "epoch_2.pt" in message
    found = locate(str(lab), Path(), transformer=lab / "epoch_2.pt")
    assert found.files["transformer"].name == "epoch_2.pt"


def test_the_files_may_be_given_one_by_one(lab: Path) -> None:
    whole = locate(str(lab), Path())
    (lab / "deep").mkdir()
    for name in ("VQGAN.pt", "transformer.pt", "VQGAN.yml", "MaskGit.yml"):
        (lab / name).rename(lab / "deep" / f"my-{name}")
    found = locate(
        None,
        lab,
        tokenizer=Path("deep/my-VQGAN.pt"),
        transformer=Path("deep/my-transformer.pt"),
        tokenizer_config=Path("deep/my-VQGAN.yml"),
        transformer_config=Path("deep/my-MaskGit.yml"),
    )
    assert found.fingerprint == whole.fingerprint
    assert found.name == "my-transformer"
    assert "transformer_config" in refusal(None, lab, transformer=Path("deep/my-transformer.pt"))


def test_the_fingerprint_follows_the_weights_and_sizes(lab: Path) -> None:
    before = locate(str(lab), Path()).fingerprint
    config = (lab / "VQGAN.yml").read_text()
    (lab / "VQGAN.yml").write_text("# a comment changes nothing\n" + config)
    assert locate(str(lab), Path()).fingerprint == before
    with (lab / "transformer.pt").open("ab") as file:
        file.write(b"\0")
    assert locate(str(lab), Path()).fingerprint != before


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("MaskGit.yml", "dim: 64", "dim: 72", "dim"),
        ("MaskGit.yml", "    dim: 64\n", "", "dim"),
        ("MaskGit.yml", "    dim: 64\n", "    dim: 64\n    n_heads: 7\n", "7 attention heads"),
        ("MaskGit.yml", "    dim: 64\n", "    dim: 64\n    rotary: true\n", "rotary"),
        ("MaskGit.yml", "  Transformer_param:", "  Other:", "Transformer_param"),
        ("MaskGit.yml", "    num_image_tokens: 256", "    num_image_tokens: 255", "num_image_tokens"),
        ("MaskGit.yml", "num_image_tokens: 256", "num_image_tokens: 64", "num_image_tokens"),
        ("MaskGit.yml", "num_codebook_vectors: 64", "num_codebook_vectors: 65", "num_codebook_vectors"),
        ("MaskGit.yml", "model_param:", "model_param: [", "YAML"),
        ("VQGAN.yml", "model_param:", "parameters:", "model_param"),
        ("VQGAN.yml", "latent_dim: 32", "latent_dim: many", "latent_dim"),
        ("VQGAN.yml", "latent_resolution: 16", "latent_resolution: 8", "latent_resolution"),
        (
            "VQGAN.yml",
            "  - 32\n  - 32\n  - 64\n  - 64\n  - 64\n  enc",
            "  - 33\n  - 32\n  - 64\n  - 64\n  - 64\n  enc",
            "dec",
        ),
        ("VQGAN.yml", "  beta: 0.25\n", "  beta: 0.25\n  attention: none\n", "attention"),
    ],
)
def test_a_wrong_entry_of_a_lab_config_is_named(lab: Path, file: str, old: str, new: str, said: str) -> None:
    text = (lab / file).read_text()
    assert old in text
    (lab / file).write_text(text.replace(old, new))
    message = refusal(str(lab), Path())
    assert file in message
    assert said in message


def test_dropout_in_a_lab_config_is_of_no_consequence(lab: Path) -> None:
    before = locate(str(lab), Path())
    text = (lab / "MaskGit.yml").read_text()
    (lab / "MaskGit.yml").write_text(text.replace("    dim: 64\n", "    dim: 64\n    dropout: 0.1\n"))
    assert locate(str(lab), Path()) == before


@pytest.mark.parametrize("file", ["VQGAN.pt", "transformer.pt", "VQGAN.yml", "MaskGit.yml"])
def test_an_empty_file_is_named(lab: Path, file: str) -> None:
    (lab / file).write_bytes(b"")
    assert file in refusal(str(lab), Path())


def test_a_missing_file_is_named(lab: Path) -> None:
    (lab / "MaskGit.yml").unlink()
    assert "MaskGit.yml" in refusal(str(lab), Path())
    assert "gone.pt" in refusal(
        None,
        lab,
        transformer=Path("gone.pt"),
        tokenizer_config=Path("VQGAN.yml"),
        transformer_config=Path("VQGAN.yml"),
    )


@pytest.mark.parametrize(
    "spec", ["no-such-model", "./nowhere", "", "python:maskgit", "python:no_such_module:f", "python:a b:f"]
)
def test_what_is_not_there_is_said_with_a_remedy(tmp_path: Path, spec: str) -> None:
    assert repr(spec) in refusal(spec, tmp_path)


def test_bundled_names_resolve_from_anywhere(tmp_path: Path) -> None:
    for name in bundled():
        found = locate(name, tmp_path)
        assert found.kind == "native"
        assert found.transformer is not None


def test_a_python_factory_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "located_only.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    first, second = (locate("python:located_only:make", tmp_path) for _ in range(2))
    assert first.kind == "python"
    assert first.tokenizer is None
    assert first.fingerprint != second.fingerprint
    assert "located_only" not in sys.modules


def test_lab_files_beside_another_kind_are_refused(lab: Path, tmp_path: Path) -> None:
    assert "transformer" in refusal("python:json:loads", tmp_path, transformer=lab / "transformer.pt")


@pytest.mark.parametrize(
    ("added", "heads"),
    [
        ("num_heads: 8", 8),
        ("heads: 4", 4),
        ("head_dim: 4", 16),
        ("dim_head: 8\n    n_heads: 8", 8),
        ("dropout: 0.1", 16),
    ],
)
def test_heads_that_people_add_to_the_config_are_used(lab: Path, added: str, heads: int) -> None:
    text = (lab / "MaskGit.yml").read_text()
    (lab / "MaskGit.yml").write_text(text.replace("    dim: 64\n", f"    dim: 64\n    {added}\n"))
    found = locate(str(lab), Path()).transformer
    assert found is not None
    assert found.n_heads == heads


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("mlp_ratio: 2", "mlp_ratio: 4"),
        ("vocab_size: 65", "vocab_size: 70"),
        ("mask_token_id: 64", "mask_token_id: 0"),
        ("seq_len: 256", "seq_len: 257"),
        ("activation: gelu", "activation: relu"),
        ("layer_norm_eps: 1.0e-12", "layer_norm_eps: 1.0e-5"),
        ("n_heads: 16\n    num_heads: 16", "n_heads: 16\n    num_heads: 8"),
    ],
)
def test_what_people_add_must_be_true(lab: Path, true: str, false: str) -> None:
    text = (lab / "MaskGit.yml").read_text()
    before = locate(str(lab), Path())
    (lab / "MaskGit.yml").write_text(text.replace("    dim: 64\n", f"    dim: 64\n    {true}\n"))
    assert locate(str(lab), Path()) == before
    (lab / "MaskGit.yml").write_text(text.replace("    dim: 64\n", f"    dim: 64\n    {false}\n"))
    assert false.split()[0].rstrip(":") in refusal(str(lab), Path())


def test_settings_of_training_in_a_config_change_nothing(lab: Path) -> None:
    before = locate(str(lab), Path())
    for name, table in (("MaskGit.yml", "    dim: 64\n"), ("VQGAN.yml", "  beta: 0.25\n")):
        indent = table[: len(table) - len(table.lstrip())]
        text = (lab / name).read_text()
        added = f"{indent}learning_rate: 1.0e-4\n{indent}training_param:\n{indent}  epochs: 50\n"
        (lab / name).write_text(text.replace(table, table + added))
    assert locate(str(lab), Path()) == before


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_weights_are_found_under_every_suffix(lab: Path, suffix: str) -> None:
    before = locate(str(lab), Path())
    (lab / "VQGAN.pt").rename(lab / f"VQGAN{suffix}")
    (lab / "transformer.pt").rename(lab / f"epoch_3{suffix}")
    after = locate(str(lab), Path())
    assert {role: path.suffix for role, path in after.files.items() if role in after.sha256} == {
        "tokenizer": suffix, "transformer": suffix,
    }  # fmt: skip
    assert after.fingerprint == before.fingerprint


def test_a_path_to_the_transformers_file_is_a_checkpoint(lab: Path) -> None:
    shutil.copyfile(lab / "transformer.pt", lab / "epoch_7.pt")
    found = locate("epoch_7.pt", lab)
    assert (found.name, found.files["transformer"]) == ("epoch_7", lab / "epoch_7.pt")
    assert found.fingerprint == locate(str(lab), Path()).fingerprint


def test_a_link_that_git_left_as_text_leads_to_its_target(lab: Path) -> None:
    before = locate(str(lab), Path())
    (lab / "deep").mkdir()
    (lab / "VQGAN.pt").rename(lab / "deep" / "weights.pt")
    (lab / "VQGAN.pt").write_text("deep/weights.pt")
    assert locate(str(lab), Path()).fingerprint == before.fingerprint
    (lab / "VQGAN.pt").write_text("deep/gone.pt")
    assert locate(str(lab), Path()).files["tokenizer"] == lab / "VQGAN.pt"


def test_what_is_declared_goes_with_a_lab_checkpoint_alone(lab: Path, tmp_path: Path) -> None:
    assert locate(str(lab), Path(), declared=Declared(order="heads")).declared.order == "heads"
    for spec in (bundled()[0], "python:json:loads"):
        with pytest.raises(CheckpointError, match="leave out order"):
            locate(spec, tmp_path, declared=Declared(order="heads"))


@pytest.mark.parametrize("declared", [{"order": "rows"}, {"variant": "mine"}, {"keys": {"query": "W_q"}}])
def test_what_no_checkpoint_could_be_read_by_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Declared(**declared)


def test_attention_keys_on_the_command_line() -> None:
    assert parse_keys("q=W_q, k=W_k,v=W_v,out=W_o.0") == {"q": "W_q", "k": "W_k", "v": "W_v", "out": "W_o.0"}
    for text in ("", "q", "query=W_q", "q="):
        with pytest.raises(InputError, match="q=W_q,k=W_k,v=W_v,out=W_o"):
            parse_keys(text)
