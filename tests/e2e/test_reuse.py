"""Reuse by layer, counted at the networks: only what is new is computed, and nothing stale is served."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import bench
from bench.features import sources
from bench.grid.spec import Spec, parse_spec
from bench.run import block_work, throughput
from bench.run.runner import run as drive
from bench.run.throughput import Cost, UnitCosts
from maskgit.checkpoints.native import load_tokenizer, save_native
from maskgit.config import TransformerConfig
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError
from maskgit.model import MaskGIT
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TILE, T = 4, 3
TIMED = ["images_per_s", "ms_per_image", "throughput_source"]
FEATURES = "efficientnet-lite0"
COST = Cost(1.0, 1.0, 1.0, 1)


@pytest.fixture(scope="module")
def finished(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, eight images in two blocks of one tile, and a run of steps 1 and 2 of 3; each test works on a copy."""
    folder = tmp_path_factory.mktemp("reuse") / "work"
    shutil.copytree(tiny_checkpoint, folder / "model")
    write_dataset(catfaces_test_set(9), folder / "faces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throughput, "measure", lambda *_, **__: COST)
        drive(spec(), folder / "run", folder, quiet=True)
    return folder


def spec(limit: int = 8, **changes: dict[str, Any]) -> Spec:
    raw: dict[str, dict[str, Any]] = {
        "model": {"checkpoint": "./model"},
        "data": {"masks": "faces/mask64", "ground_truth": "faces/test_gt", "limit": limit},
        "grid": {"gamma": "cosine", "total_iter": T, "sweet_spot": 2},
        "metrics": {"features": FEATURES},
        "throughput": {"repeats": 1, "checks": 0, "warm_up": 0},
        "execution": {"tile": TILE, "batch_size": 1, "device": "cpu", "threads": 1},
    }
    for name, section in changes.items():
        raw[name] = {**raw.get(name, {}), **section}
    return parse_spec(raw, "test")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Calls of the networks, each of one tile, and images embedded, from now on; speeds are not measured."""
    calls = dict.fromkeys(("encode", "logits", "render", "embedded"), 0)

    def counting(name: str) -> Callable[..., Any]:
        original = getattr(MaskGIT, name)

        def counted(self: MaskGIT, batch: torch.Tensor) -> torch.Tensor:
            calls[name] += 1
            return original(self, batch)

        return counted

    for name in ("encode", "logits", "render"):
        monkeypatch.setattr(MaskGIT, name, counting(name))
    embed = block_work.embed_images

    def counted_embed(extractor: Any, images: np.ndarray, runtime: Any) -> np.ndarray:
        calls["embedded"] += len(images)
        return embed(extractor, images, runtime)

    monkeypatch.setattr(block_work, "embed_images", counted_embed)
    monkeypatch.setattr(throughput, "measure_units", lambda *_: UnitCosts(COST, COST, COST))
    monkeypatch.setattr(throughput, "measure", lambda *_, **__: COST)
    threads = torch.get_num_threads()
    yield calls
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def work(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "work")


def rerun(work: Path, now: Spec, replace: bool = False) -> pd.DataFrame:
    return bench.load(drive(now, work / "run", work, quiet=True, replace=replace)).cells.drop(columns=TIMED)


def undisturbed(work: Path, now: Spec) -> pd.DataFrame:
    return bench.load(drive(now, work / "fresh", work, quiet=True)).cells.drop(columns=TIMED)


BLOCKS = 2
MORE: dict[str, tuple[Spec, dict[str, int]]] = {
    "nothing": (spec(), {"encode": 0, "logits": 0, "embedded": 0}),
    "a metric": (spec(metrics={"extra": ["mind"]}), {"encode": 0, "logits": 0, "embedded": 0}),
    "a sweet spot before the last step": (
        spec(grid={"sweet_spot": [1, 2]}),
        {"encode": 0, "logits": 0, "embedded": 0},  # its canvases are those of the one-shot reference row
    ),
    "a later sweet spot": (spec(grid={"sweet_spot": [2, 3]}), {"encode": BLOCKS, "logits": BLOCKS}),
    "a composition": (spec(grid={"compose": ["none", "paste"]}), {"encode": 0, "logits": 0}),
    "a gamma": (spec(grid={"gamma": ["cosine", "linear"]}), {"encode": BLOCKS, "logits": 2 * BLOCKS}),
    "a seed": (spec(run={"seeds": [0, 1]}), {"encode": BLOCKS, "logits": 2 * BLOCKS}),
}  # fmt: skip


@pytest.mark.parametrize("name", MORE)
def test_only_what_is_new_is_computed(work: Path, counts: dict[str, int], name: str) -> None:
    now, expected = MORE[name]
    rerun(work, now)
    assert {layer: counts[layer] for layer in expected} == expected
    if expected["logits"] == 0 and expected.get("embedded") == 0:
        assert counts["render"] == 0


def test_an_image_is_added_alone(work: Path, counts: dict[str, int]) -> None:
    cells = rerun(work, spec(limit=9))
    assert (cells.n_images == 9).all()
    assert counts["encode"] == 2, "the masked image and the original"
    assert counts["logits"] == 2, "two steps"
    floor, steps, truth, painted = 1, 2, 1, 2
    assert counts["embedded"] <= floor + steps + truth + painted
    pd.testing.assert_frame_equal(cells, undisturbed(work, spec(limit=9)), check_exact=True)


def change_weights(work: Path) -> None:
    torch.manual_seed(5)
    sizes = TransformerConfig(num_codebook_vectors=48, dim=32, n_layers=2, hidden_dim=64, n_heads=4)
    tokenizer = load_tokenizer(work / "model")
    shutil.rmtree(work / "model")
    save_native(work / "model", tokenizer, BidirectionalTransformer(sizes), name="tiny")


def change_image(folder: str, name: str) -> Callable[[Path], None]:
    def change(work: Path) -> None:
        path = work / "faces" / folder / name
        pixels = np.asarray(Image.open(path)).copy()
        known = np.argwhere(np.asarray(Image.open(work / "faces/mask64/mask_006.png")) == 255)[0]
        pixels[tuple(known)] = 0 if folder == "mask64" else pixels[tuple(known)] ^ 1
        Image.fromarray(pixels).save(path)

    return change


CHANGED: dict[str, tuple[Callable[[Path], None], str, int]] = {
    "weights": (change_weights, "model.checkpoint tiny: ", BLOCKS),
    "a mask": (change_image("mask64", "mask_006.png"), r"1 image \(6\) changed", 1),
    "a pixel": (change_image("test_gt", "image_006.png"), r"1 image \(6\) changed", 1),
}


@pytest.mark.parametrize("name", CHANGED)
def test_nothing_stale_is_served_and_only_the_blocks_concerned_are_redone(
    work: Path, counts: dict[str, int], name: str
) -> None:
    change, difference, blocks = CHANGED[name]
    change(work)
    with pytest.raises(InputError, match=difference):
        rerun(work, spec())
    counts.update(dict.fromkeys(counts, 0))
    cells = rerun(work, spec(), replace=True)
    assert counts["logits"] == 2 * blocks
    pd.testing.assert_frame_equal(cells, undisturbed(work, spec()), check_exact=True)


def test_another_version_of_the_extractor_embeds_again_and_decodes_nothing(
    work: Path, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LITE0_VERSION", "efficientnet-lite0-99")
    with pytest.raises(InputError, match=f"metrics.features {FEATURES}: "):
        rerun(work, spec())
    counts.update(dict.fromkeys(counts, 0))
    rerun(work, spec(), replace=True)
    assert counts["encode"] == counts["logits"] == 0
    assert counts["embedded"] >= 8 * 4, "originals, canvases and reference rows"
