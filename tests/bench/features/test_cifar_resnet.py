"""The bundled extractor: what it computes, that its weights are the recorded ones, that the FD rises."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.transforms.functional import gaussian_blur

from bench.features.cifar_resnet import CifarResNet, fold_batch_norm, load_bundled, normalise
from bench.metrics.frechet import frechet_distance
from maskgit.errors import InputError

BUNDLED = resources.files("bench.features") / "bundled"
CONFIG = json.loads((BUNDLED / "config.json").read_text())


@pytest.fixture(scope="module")
def extractor() -> CifarResNet:
    return load_bundled()


def random_images(n: int, height: int = 64, width: int = 64, seed: int = 0) -> torch.Tensor:
    """Uint8 (n, 3, height, width): smooth random fields, so that no activation is dead."""
    coarse = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


# --- degradations: uint8 (N, 3, H, W), severity, mask (N, 1, H, W) True in the hole → uint8 (N, 3, H, W) ---


def blur(images: torch.Tensor, sigma_px: float, hole: torch.Tensor) -> torch.Tensor:
    size = 2 * int(np.ceil(3 * sigma_px)) + 1
    return gaussian_blur(images, [size, size], [sigma_px, sigma_px])


def noise(images: torch.Tensor, sigma: float, hole: torch.Tensor) -> torch.Tensor:
    normal = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + sigma * normal).round().clamp(0, 255).to(torch.uint8)


def jpeg(images: torch.Tensor, quality: int, hole: torch.Tensor) -> torch.Tensor:
    out = []
    for image in images.permute(0, 2, 3, 1).numpy():
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        out.append(np.array(Image.open(buffer)))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2)


def hole_share(images: torch.Tensor, share: float, hole: torch.Tensor) -> torch.Tensor:
    """Grey over the first `share` of every hole's pixels, in reading order."""
    rank = hole.flatten(1).cumsum(1).view_as(hole)
    limit = share * hole.flatten(1).sum(1).view(-1, 1, 1, 1)
    return torch.where(hole & (rank <= limit), torch.tensor(128, dtype=torch.uint8), images)


def hole_grown(images: torch.Tensor, radius_px: int, hole: torch.Tensor) -> torch.Tensor:
    """Grey over the hole and everything within `radius_px` of it, rows and columns counted apart."""
    grown = F.max_pool2d(hole.float(), 2 * radius_px + 1, stride=1, padding=radius_px) > 0
    return torch.where(grown, torch.tensor(128, dtype=torch.uint8), images)


Degradation = Callable[[torch.Tensor, float, torch.Tensor], torch.Tensor]
SEVERITIES: dict[str, tuple[Degradation, tuple[float, ...]]] = {
    "blur (sigma, px)": (blur, (0.5, 0.75, 1.0, 2.0, 4.0)),
    "noise (sigma, of 255)": (noise, (4, 8, 16, 32, 64)),
    "JPEG (quality)": (jpeg, (90, 70, 50, 30, 10)),
    "hole filled grey (share)": (hole_share, (0.2, 0.4, 0.6, 0.8, 1.0)),
    "hole grown (px)": (hole_grown, (1, 2, 3, 5, 8)),
}


def read_numbered(folder: Path, mode: str, limit: int | None) -> torch.Tensor:
    """The PNGs of a folder in order of the number in their names, as uint8 (N, C, H, W)."""
    paths = sorted(folder.glob("*.png"), key=lambda p: int(re.findall(r"\d+", p.stem)[-1]))[:limit]
    pixels = np.stack([np.atleast_3d(np.array(Image.open(p).convert(mode))) for p in paths])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def extract(model: CifarResNet, images: torch.Tensor, batch_size: int = 64) -> np.ndarray:
    return torch.cat([model.features(batch) for batch in images.split(batch_size)]).numpy()


@pytest.fixture(scope="module")
def faces(extractor: CifarResNet, shared: Path) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """The first 256 real test images, their holes, and their features; the table of all 747 stands in the card."""
    folder = shared / "data" / "cat-faces-64"
    images = read_numbered(folder / "test_gt", "RGB", 256)
    return images, read_numbered(folder / "mask64", "L", 256) == 0, extract(extractor, images)


NOT_MET = {"JPEG (quality)": "FD at quality 90 exceeds that at 70; see the card"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.xfail(strict=True, reason=NOT_MET[name])] if name in NOT_MET else [])
        for name in SEVERITIES
    ],
)
def test_distance_rises_strictly_with_every_severity(
    extractor: CifarResNet, faces: tuple[torch.Tensor, torch.Tensor, np.ndarray], name: str
) -> None:
    images, hole, real = faces
    degrade, levels = SEVERITIES[name]
    values = [frechet_distance(real, extract(extractor, degrade(images, level, hole))) for level in levels]
    assert all(a < b for a, b in zip([0.0, *values], values, strict=False)), f"{name}: {values}"


def test_shipped_weights_are_the_recorded_ones_and_small() -> None:
    stored = (BUNDLED / "weights.safetensors").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == CONFIG["sha256"]
    assert len(stored) <= 4_000_000


@pytest.mark.xfail(strict=True, reason="87.9 %: trained for 18 epochs only; see the card")
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
    with pytest.raises(InputError, match=r"31x64, the least is 32x32"):
        extractor.features(random_images(1, height=64, width=31))
    with pytest.raises(TypeError, match=r"uint8 \(N, 3, H, W\)"):
        extractor.features(torch.rand(1, 3, 64, 64))
    with pytest.raises(TypeError, match=r"uint8 \(N, 3, H, W\)"):
        extractor.features(random_images(1).permute(0, 2, 3, 1))
