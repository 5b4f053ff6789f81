"""The bundled extractor: what it computes, that its weights are the recorded ones, that the FD rises."""

from __future__ import annotations

import hashlib
import io
import json
import re
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from bench.features.cifar_resnet import CifarResNet, SqueezeExcitation, fold_batch_norm, load_bundled, normalise
from bench.features.registry import extractor as registered
from maskgit.errors import InputError
from tools.severity import SEVERITIES, distances, jpeg, jpeg_on_own_blocks

if TYPE_CHECKING:
    from pathlib import Path

BUNDLED = resources.files("bench.features") / "bundled"
CONFIG = json.loads((BUNDLED / "config.json").read_text())


@pytest.fixture(scope="module")
def extractor() -> CifarResNet:
    return load_bundled()


def random_images(n: int, height: int = 64, width: int = 64, seed: int = 0) -> torch.Tensor:
    """Uint8 (n, 3, height, width): smooth random fields, so that no activation is dead."""
    coarse = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


def read_numbered(folder: Path, mode: str, limit: int | None) -> torch.Tensor:
    """The PNGs of a folder in order of the number in their names, as uint8 (N, C, H, W)."""
    paths = sorted(folder.glob("*.png"), key=lambda p: int(re.findall(r"\d+", p.stem)[-1]))[:limit]
    pixels = np.stack([np.atleast_3d(np.array(Image.open(p).convert(mode))) for p in paths])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def faces(shared: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The 747 real test images and their holes."""
    folder = shared / "data" / "cat-faces-64"
    return read_numbered(folder / "test_gt", "RGB", None), read_numbered(folder / "mask64", "L", None) == 0


@pytest.mark.parametrize("name", SEVERITIES)
def test_distance_rises_strictly_with_every_severity(faces: tuple[torch.Tensor, torch.Tensor], name: str) -> None:
    """On the first 256; on all 747 it is the card's table."""
    images, hole = (part[:256] for part in faces)
    values = distances(registered("cifar-resnet"), images, hole, *SEVERITIES[name])
    assert len(values) == 5
    assert all(a < b for a, b in zip([0.0, *values], values, strict=False)), f"{name}: {values}"


def table_of_the_card() -> dict[str, dict[float, float]]:
    """The distances that the card names, by damage and level."""
    rows = re.findall(
        r"^\| (.+?) \|((?: [0-9.]+: [0-9.]+ \|){5}) yes \|$", (BUNDLED / "README.md").read_text(), re.MULTILINE
    )
    entries = {name: re.findall(r"([0-9.]+): ([0-9.]+)", entries) for name, entries in rows}
    return {name: {float(level): float(value) for level, value in found} for name, found in entries.items()}


def test_the_cards_distances_rise_strictly_with_every_severity() -> None:
    table = table_of_the_card()
    for name, (_, levels) in SEVERITIES.items():
        assert tuple(table[name]) == levels
        values = list(table[name].values())
        assert all(a < b for a, b in zip([0.0, *values], values, strict=False)), f"{name}: {values}"


def test_the_cards_distances_are_those_of_the_shipped_weights(faces: tuple[torch.Tensor, torch.Tensor]) -> None:
    """The two levels that lie closest together, on all 747 photographs."""
    name = "JPEG (quality)"
    damage, levels = SEVERITIES[name]
    found = distances(registered("cifar-resnet"), *faces, damage, levels[:2])
    assert found == pytest.approx([table_of_the_card()[name][level] for level in levels[:2]], abs=2e-3)


def test_light_recompression_on_the_same_blocks_sharpens(faces: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Why severity moves the blocks: the photographs were JPEGs of quality 95, whose steps quality 90 doubles."""

    def sharpness(images: torch.Tensor) -> float:
        return float((images[..., 1:].float() - images[..., :-1].float()).square().mean())

    images, hole = (part[:256] for part in faces)
    assert sharpness(jpeg_on_own_blocks(images, 90, hole)) > 1.05 * sharpness(images)
    assert sharpness(jpeg(images, 90, hole)) < 1.05 * sharpness(images)


def test_shipped_weights_are_the_recorded_ones_and_small() -> None:
    stored = (BUNDLED / "weights.safetensors").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == CONFIG["sha256"]
    assert len(stored) <= 4_000_000


def test_the_network_names_nine_in_ten_test_images() -> None:
    assert CONFIG["test_accuracy"] >= 0.90


def test_recorded_accuracy_is_that_of_the_shipped_network(extractor: CifarResNet, shared: Path) -> None:
    """On every tenth test image, spread over all classes; four standard errors of 1,000 are 3.5 points."""
    table = pq.read_table(shared / "data" / "cifar10.parquet")
    table = table.filter(np.array(table.column("split").to_pylist()) == "test").take(np.arange(0, 10_000, 10))
    jpegs = table.column("image").to_pylist()
    pixels = np.stack([np.array(Image.open(io.BytesIO(b)).convert("RGB")) for b in jpegs])
    with torch.inference_mode():
        predicted = extractor(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2))).argmax(1).numpy()
    measured = (predicted == table.column("label").to_numpy()).mean()
    assert abs(measured - CONFIG["test_accuracy"]) < 0.035


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (33, 47), (128, 96)])
def test_features_are_finite_and_alive_at_any_size(extractor: CifarResNet, height: int, width: int) -> None:
    features = extractor.features(random_images(64, height, width))
    assert features.shape == (64, CONFIG["feature_dim"]) == (64, extractor.feature_dim)
    assert features.dtype == torch.float32
    assert torch.isfinite(features).all()
    assert (features.std(0) > 0).float().mean() > 0.95


def test_folding_batch_norm_changes_nothing_but_rounding() -> None:
    torch.manual_seed(0)
    model = CifarResNet()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
            torch.nn.init.normal_(layer.weight, 1.0, 0.2)
            torch.nn.init.normal_(layer.bias)
    images = random_images(4)
    before = model.eval().features(images)
    after = fold_batch_norm(model).features(images)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_squeeze_excitation_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(0)
    layer = SqueezeExcitation(16)
    reduce, expand = layer.gate[0], layer.gate[2]
    x = torch.randn(2, 16, 5, 7)
    z = x.mean((2, 3)).numpy()
    hidden = np.maximum(z @ reduce.weight.detach().numpy().T + reduce.bias.detach().numpy(), 0)
    gates = 1 / (1 + np.exp(-(hidden @ expand.weight.detach().numpy().T + expand.bias.detach().numpy())))
    assert np.allclose(layer(x).detach().numpy(), x.numpy() * gates[:, :, None, None], atol=1e-6)


def test_an_image_has_the_same_features_in_any_company(extractor: CifarResNet) -> None:
    images = random_images(16)
    alone = torch.cat([extractor.features(image[None]) for image in images])
    torch.testing.assert_close(alone, extractor.features(images), rtol=1e-4, atol=1e-5)
    reversed_order = extractor.features(images.flip(0)).flip(0)
    torch.testing.assert_close(reversed_order, extractor.features(images), rtol=1e-4, atol=1e-5)


def test_memory_order_of_the_input_does_not_matter(extractor: CifarResNet) -> None:
    images = random_images(4)
    strided = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(extractor.features(images), extractor.features(strided))


def test_wrong_images_are_refused(extractor: CifarResNet) -> None:
    with pytest.raises(InputError, match=r"31x64, the smallest size is 32x32"):
        extractor.features(random_images(1, height=64, width=31))
    with pytest.raises(TypeError, match=r"uint8 \(N, 3, H, W\)"):
        extractor.features(torch.rand(1, 3, 64, 64))
    with pytest.raises(TypeError, match=r"uint8 \(N, 3, H, W\)"):
        extractor.features(random_images(1).permute(0, 2, 3, 1))
