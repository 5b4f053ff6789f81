"""The readers that are fuzzed, each with a valid file to start from."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from bench.fid.samples import open_sample
from bench.gate.baseline import save_baseline
from bench.gate.decision import decide
from bench.grid.sections import GateSection
from bench.grid.spec import load_spec, with_paths_from
from bench.report.formats import report
from bench.results.finished_run import FEATURES_FILE, open_evaluated
from bench.results.identity import IDENTITY_FILE, read_identity
from bench.results.record import SEAL, read_sealed, write_sealed
from maskgit.checkpoints.checkpoint import file_digest
from maskgit.checkpoints.lab_config import lab_tokenizer_config, lab_transformer_config
from maskgit.checkpoints.weight_files import read_content
from maskgit.data.csv_truth import read_truth_csv
from maskgit.data.decode import decode, decode_as_rgb
from maskgit.data.mask_files import read_mask
from tools.fuzz.mutate import edited, mutated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

LAB_CONFIG = """
model_param:
  Transformer_param: {dim: 64, hidden_dim: 128, n_layers: 2, num_codebook_vectors: 64, num_image_tokens: 256}
  num_codebook_vectors: 64
"""
GRID = """
[model]
checkpoint = "cats64"
[data]
dataset = "catfaces"
[grid]
gamma = ["cosine", "power:2"]
total_iter = [4, 8]
"""
IMAGES = ("png", "jpg", "webp", "bmp", "tif", "gif")


@dataclass(frozen=True)
class Format:
    """A format, a valid file of it, and everything that reads it.

    Attributes:
        name: Name in the table.
        seed: The valid file.
        readers: Called with the path of a mutated file.
        mutate: Writes a mutated file; by default its bytes change.
    """

    name: str
    seed: Path
    readers: tuple[Callable[[Path], Any], ...]
    mutate: Callable[[Path, Path, Random], None]


def formats(folder: Path, run: Path) -> list[Format]:
    """All formats, with valid files in a folder; `run` is a finished run of the harness."""
    files = _valid_files(folder)
    images = (decode_as_rgb, lambda path: decode(path, 3), read_mask)
    plain = [
        Format("TOML", files / "grid.toml", (lambda path: with_paths_from(load_spec(path), path.parent),), _bytes),
        *(
            Format(suffix.upper(), files / f"image.{suffix}", images, _bytes)
            for suffix in ("png", "jpg", "webp", "bmp", "tif", "gif")
        ),
        Format(
            "CSV",
            files / "truth.csv",
            (open_sample, lambda path: read_truth_csv(path, range(4), None, (8, 8), None)),
            _bytes,
        ),
        Format("YAML", files / "MaskGit.yml", (lab_transformer_config, lab_tokenizer_config), _bytes),
        *(Format(suffix, files / f"weights.{suffix}", (_weights,), _bytes) for suffix in ("safetensors", "pt")),
        *(Format(suffix, files / f"sample.{suffix}", (open_sample,), _bytes) for suffix in ("npz", "npy", "parquet")),
    ]
    base = folder / "baseline"
    save_baseline(run, base)
    readers = (
        lambda path: report(path, "markdown", folder / "out.md"),
        lambda path: report(path, "html", folder / "out.html"),
    )
    sides = (
        lambda path: decide(open_evaluated(base), open_evaluated(path), GateSection(permutations=200), "fuzz"),
        lambda path: save_baseline(path, folder / "saved"),
    )
    return [
        *plain,
        Format("run.json", run / "run.json", (*map(_in_folder, readers),), _sealed),
        Format("identity.json", run / IDENTITY_FILE, (lambda path: _identity(path.parent),), _sealed),
        *(
            Format(f"{name}.parquet", run / f"{name}.parquet", (*map(_in_folder, readers),), _unrecorded)
            for name in ("cells", "images")
        ),
        Format("baseline run.json", base / "run.json", (*map(_in_folder, sides),), _sealed),
        Format("baseline features", base / FEATURES_FILE, (*map(_in_folder, sides),), _unrecorded),
    ]


def _valid_files(folder: Path) -> Path:
    """One small valid file of every format."""
    files = folder / "valid"
    files.mkdir()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    (files / "grid.toml").write_text(GRID)
    (files / "MaskGit.yml").write_text(LAB_CONFIG)
    for suffix in IMAGES:
        Image.fromarray(pixels[0]).save(files / f"image.{suffix}")
    rows = [",".join(map(str, image.reshape(-1))) for image in pixels]
    (files / "truth.csv").write_text("\n".join(rows) + "\n")
    tensors = {"tok_emb.weight": torch.zeros(5, 4), "bias": torch.ones(3)}
    torch.save({"model": tensors}, files / "weights.pt")
    from safetensors.torch import save_file

    save_file(tensors, files / "weights.safetensors")
    np.savez_compressed(files / "sample.npz", mu=np.zeros(4), sigma=np.eye(4))
    np.save(files / "sample.npy", pixels)
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = pa.array(rng.standard_normal((5, 4)).tolist(), pa.list_(pa.float32()))
    pq.write_table(pa.table({"image_id": list(range(5)), "feature": features}), files / "sample.parquet")
    return files


def _bytes(seed: Path, copy: Path, rng: Random) -> None:
    copy.write_bytes(mutated(seed.read_bytes(), rng))


def _sealed(seed: Path, copy: Path, rng: Random) -> None:
    """Other JSON values under a hash that is right, so that the values are what is read; sometimes other bytes."""
    if rng.random() < 0.2:
        _bytes(seed, copy, rng)
        return
    content = json.loads(seed.read_text(encoding="utf-8"))
    content.pop(SEAL, None)
    content.pop("files", None)  # the hashes of the tables
    changed = edited(json.dumps(content), rng)
    try:
        write_sealed(copy, changed)
    except (TypeError, ValueError, AttributeError):  # no object, or half a surrogate pair
        copy.write_text(json.dumps(changed), encoding="utf-8")


def _unrecorded(seed: Path, copy: Path, rng: Random) -> None:
    """Other bytes in a file whose hash no run.json records, so that the file is what is read."""
    _bytes(seed, copy, rng)
    record = copy.parent / "run.json"
    content = read_sealed(record)
    write_sealed(record, {**content, "files": {}})


def _in_folder(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda path: read(path.parent)


def _identity(folder: Path) -> Any:
    identity = read_identity(folder)
    return identity and (identity.hash, identity.block_identities)


def _truth(path: Path) -> Any:
    return read_truth_csv(path, range(4), None, (8, 8), None)


def _weights(path: Path) -> Any:
    return read_content(path, file_digest(path))


def fresh_copy(format: Format, place: Path) -> Path:
    """The path of a file to mutate: alone, or in a copy of its run folder (without the store)."""
    shutil.rmtree(place, ignore_errors=True)
    if (format.seed.parent / "run.json").exists():
        shutil.copytree(format.seed.parent, place, ignore=shutil.ignore_patterns("store"))
    else:
        place.mkdir()
    return place / format.seed.name
