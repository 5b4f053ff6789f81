"""FID's features: pytorch-fid's own from written PNGs, whatever the tile; bad weights refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_fid import fid_score
from pytorch_fid.inception import InceptionV3
from torch import Tensor, nn

from bench.features.inception import load_inception
from bench.features.registry import Extractor, extractor
from bench.features.sources import as_strict, resolve
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def weights(random_inception: Path) -> Iterator[Path]:
    """Seeded random weights, where pytorch-fid finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(random_inception.parents[2]))
        yield random_inception


@pytest.fixture(scope="module")
def inception(weights: Path) -> Extractor:
    return extractor("inception", allow_unverified=True)


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Uint8 (3, 3, 64, 48): smooth fields of many brightnesses with noise on them; not square, to tell H from W."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(3, 3, 5, 5, generator=generator) * torch.tensor([0.2, 0.6, 1.0]).view(3, 1, 1, 1)
    smooth = nn.functional.interpolate(coarse, (64, 48), mode="bicubic")
    return ((smooth + 0.05 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1) * 255).round().to(torch.uint8)


@pytest.fixture(scope="module")
def features(inception: Extractor, images: Tensor) -> Tensor:
    return inception.embed(images)


@pytest.fixture(scope="module")
def pytorch_fids(weights: Path, images: Tensor, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """What pytorch-fid itself extracts from the images, written as PNGs."""
    folder = tmp_path_factory.mktemp("pngs")
    files = [folder / f"image_{i:03d}.png" for i in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file)
    theirs = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
    expected = fid_score.get_activations(files, theirs, batch_size=len(files), num_workers=0)
    assert np.abs(expected).max() > 0.1  # the random network is alive: equality means something
    assert expected.std(axis=0).max() > 0.01
    return expected


def test_strict_features_from_memory_are_pytorch_fids_from_written_pngs_bit_for_bit(
    weights: Path, images: Tensor, pytorch_fids: np.ndarray
) -> None:
    features = load_inception(weights, strict=True).features(images)
    assert features.dtype == torch.float32
    np.testing.assert_array_equal(features.numpy(), pytorch_fids)


def test_folded_features_equal_pytorch_fids_to_two_millionths_of_the_greatest(
    features: Tensor, pytorch_fids: np.ndarray
) -> None:
    assert features.dtype == torch.float32
    assert features.shape == (3, 2048)
    assert not np.array_equal(features.numpy(), pytorch_fids)  # folding does change the order of operations
    np.testing.assert_allclose(features.numpy(), pytorch_fids, rtol=0, atol=2e-6 * pytorch_fids.max())


def test_folded_and_strict_features_are_never_taken_for_each_other(weights: Path) -> None:
    source = resolve("inception", weights, allow_unverified=True)
    assert as_strict(source).fingerprint != source.fingerprint
    with pytest.raises(InputError, match="--strict"):
        as_strict(resolve("efficientnet-lite0"))


def test_features_do_not_depend_on_the_tile_beyond_rounding(
    inception: Extractor, images: Tensor, features: Tensor
) -> None:
    padded = torch.cat([images[2:], images[2:], images[:2]])  # another tile size, neighbours and place in the tile
    expected = torch.cat([features[2:], features[2:], features[:2]])
    torch.testing.assert_close(inception.embed(padded), expected, rtol=0, atol=2e-6 * float(expected.max()))


def test_the_same_tile_gives_the_same_bytes_and_one_grey_level_others(
    inception: Extractor, images: Tensor, features: Tensor
) -> None:
    other = images.contiguous(memory_format=torch.channels_last)
    other[0, 0, 30, 20] ^= 1
    changed = inception.embed(other)
    assert torch.equal(changed[1:], features[1:])
    assert not torch.equal(changed[0], features[0])


def test_unverified_weights_say_so_and_are_refused_by_default(weights: Path, inception: Extractor) -> None:
    assert (inception.name, inception.label, inception.dim, inception.verified) == ("inception", "FD", 2048, False)
    with pytest.raises(InputError, match="not the official FID weights"):
        extractor("inception", weights=weights)


def test_images_of_another_type_or_order_are_refused(inception: Extractor, images: Tensor) -> None:
    for wrong in (images.float(), images[0], images.permute(0, 2, 3, 1)):
        with pytest.raises(TypeError, match="expected uint8"):
            inception.embed(wrong)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        load_inception(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


class Rogue:
    """Code in a pickle."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def test_bad_weight_files_are_refused_in_one_line(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    content = weights.read_bytes()
    for damaged in (b"", b"no weights", content[: len(content) // 2]):
        path.write_bytes(damaged)
        assert "not a file of tensors" in refusal(path)
    torch.save(Rogue(), path)
    assert "not a file of tensors" in refusal(path)
    assert capsys.readouterr().out == ""
    torch.save([torch.zeros(3)], path)
    assert "not a state dict" in refusal(path)

    state = torch.load(weights, weights_only=True)
    kernel = "Mixed_5b.branch1x1.conv.weight"
    not_finite = torch.full_like(state[kernel], torch.nan)
    for name, tensor in (("extra", torch.zeros(1)), (kernel, torch.zeros(1)), (kernel, not_finite)):
        torch.save(state | {name: tensor}, path)
        assert name in refusal(path)
    del state[kernel]
    torch.save(state, path)
    assert f"1 tensors missing, extra or of another shape, first {kernel}" in refusal(path)


def test_an_unknown_extractor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="efficientnet-lite0, inception"):
        extractor("clip")


def test_the_bundled_extractor_comes_through_the_registry(images: Tensor) -> None:
    bundled = extractor("efficientnet-lite0")
    features = bundled.embed(images)
    assert features.shape == (3, bundled.dim)
    assert features.dtype == torch.float32
    assert (bundled.label, bundled.verified) == ("FD", True)
