"""Errors of pictures: SSIM against a plain implementation, the ring around a hole, no dependence on company."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image.ssim import structural_similarity_index_measure

from bench.metrics.images import PIXEL_METRICS, pixel_metrics
from bench.metrics.pixels import PSNR_CAP_DB, RING_PX, border_ring
from bench.metrics.ssim import ssim, ssim_maps
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = 4


@pytest.fixture(scope="module")
def faces() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Masked faces, the originals, the holes."""
    test_set = catfaces_test_set(6)
    return test_set.masked, test_set.truth, test_set.hole


def plain_ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wang et al. 2004, equation 13, of one channel in [0, 1]."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return gaussian_filter(values, 1.5, mode="mirror", truncate=3.5)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def test_ssim_equals_a_plain_implementation(faces: tuple) -> None:
    masked, truth, _ = faces
    expected = [
        np.mean([plain_ssim(a / 255, b / 255) for a, b in zip(image, original, strict=True)], axis=0)
        for image, original in zip(masked, truth, strict=True)
    ]
    # ours is float32: variances are differences of squares, good to some 1e-7 of 1 against K₂² = 9e-4
    np.testing.assert_allclose(ssim_maps(masked, truth, TILE), expected, atol=5e-4)


def test_ssim_is_that_of_torchmetrics_to_the_last_bit(faces: tuple) -> None:
    masked, truth, _ = (torch.from_numpy(images[:TILE]) for images in faces)
    noise = torch.randint(0, 256, truth.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for images in (masked, noise, truth):
        x, y = images.float() / 255, truth.float() / 255
        _, expected = structural_similarity_index_measure(
            x, y, data_range=1.0, reduction="none", return_full_image=True
        )
        assert torch.equal(ssim(x, y), expected)


def test_an_exact_picture_has_no_error(faces: tuple) -> None:
    _, truth, hole = faces
    errors = pixel_metrics(truth, truth, hole, TILE)
    assert tuple(errors) == PIXEL_METRICS
    assert (errors["psnr_hole_db"] == PSNR_CAP_DB).all()
    assert (errors["psnr_ring_db"] == PSNR_CAP_DB).all()
    assert (errors["mae_hole"] == 0).all()
    np.testing.assert_allclose(errors["ssim_hole"], 1, atol=1e-6)
    np.testing.assert_allclose(errors["ssim_ring"], 1, atol=1e-6)


def test_a_pasted_picture_errs_in_the_hole_and_its_half_of_the_ring_only(faces: tuple) -> None:
    masked, truth, hole = faces
    errors = pixel_metrics(masked, truth, hole, TILE)
    assert (errors["psnr_hole_db"] < errors["psnr_ring_db"]).all()
    assert (errors["ssim_hole"] < errors["ssim_ring"]).all()
    assert (errors["ssim_ring"] < 1).all()


def test_no_number_depends_on_what_else_is_measured(faces: tuple) -> None:
    masked, truth, hole = faces
    together = pixel_metrics(masked, truth, hole, TILE)
    for i in range(len(masked)):
        alone = pixel_metrics(masked[i : i + 1], truth[i : i + 1], hole[i : i + 1], TILE)
        assert all(alone[name][0] == together[name][i] for name in PIXEL_METRICS)


def test_the_ring_lies_on_both_sides_of_the_border_and_not_at_the_image_s_edge() -> None:
    hole = np.zeros((1, 20, 20), bool)
    hole[0, 8:20, 8:20] = True  # reaches the lower right edge
    ring = border_ring(hole)[0]
    rows, columns = np.nonzero(ring)
    assert rows.min() == columns.min() == 8 - RING_PX
    assert ring[8 - RING_PX, 15]
    assert ring[8 + RING_PX - 1, 15]
    assert not ring[8 + RING_PX, 15]
    assert not ring[19, 19]
    assert border_ring(np.stack([hole[0], ~hole[0]]))[1].tolist() == ring.tolist()
