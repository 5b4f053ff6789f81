"""What people give `maskbench fid`: each case gives a number and says how it was read, or is refused with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.fid.compare import Comparison, compare
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    return shared / "field-cases"


@pytest.fixture(scope="module")
def originals(cases: Path) -> Path:
    return cases / "data" / "test_gt"


def bundled(a: Path, b: Path, paired: bool = False) -> Comparison:
    return compare(a, b, features="efficientnet-lite0", device="cpu", paired=paired, quiet=True)


def said(found: Comparison) -> str:
    return " | ".join(found.notes)


def test_a_folder_of_results_names_the_folders_below(cases: Path, originals: Path) -> None:
    with pytest.raises(InputError) as caught:
        bundled(cases / "60-fid-nested-results" / "inpainting_results", originals)
    for name in ("imga (8)", "mask_scheduling (8)", "test_results (8)"):
        assert name in str(caught.value)


def test_fewer_predictions_are_compared_with_a_warning_and_never_paired(cases: Path, originals: Path) -> None:
    fewer = cases / "61-fid-fewer-predictions" / "pred"
    found = bundled(fewer, originals)
    assert (found.n_a, found.n_b) == (5, 8)
    assert "A has 5 of the other side's 8 images, by number (without 5, 6, 7)" in said(found)
    with pytest.raises(InputError, match="--paired, but 3 of the images"):
        bundled(fewer, originals, paired=True)


def test_sizes_may_differ(cases: Path, originals: Path) -> None:
    found = bundled(cases / "62-fid-mixed-sizes" / "pred", originals)
    assert "images of 3 sizes (3 of 64×64, 3 of 72×64, 2 of 80×64)" in said(found)


def test_statistics_and_images_in_numpy_files(cases: Path, originals: Path) -> None:
    folder = cases / "63-fid-npz-stats"
    statistics = compare(folder / "a.npz", folder / "b.npz")
    assert statistics.scores.value > 0
    assert "the network that made them is not known" in said(statistics)
    extra = compare(folder / "extra.npz", folder / "b.npz")
    assert extra.scores.value == statistics.scores.value
    assert "other arrays in it are not used: mu_s, sigma_s" in said(extra)
    for name in ("adm.npz", "images.npy"):
        assert bundled(folder / name, originals, paired=True).scores.value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("paired", [False, True])
def test_a_set_against_itself(originals: Path, paired: bool) -> None:
    assert bundled(originals, originals, paired).scores.value == pytest.approx(0, abs=1e-6)


def test_two_images_are_too_few(originals: Path, tmp_path: Path) -> None:
    for name in ("image_000.png", "image_001.png"):
        (tmp_path / name).write_bytes((originals / name).read_bytes())
    with pytest.raises(InputError, match="2 images; a distance needs at least 3"):
        bundled(tmp_path, originals)


def test_modes_are_converted_and_said(cases: Path, originals: Path) -> None:
    folder = cases / "67-fid-modes"
    grey = bundled(folder / "grey", originals)
    assert "converted 8 images" in said(grey)
    assert "of mode RGBA to RGB, as pytorch-fid does" in said(bundled(folder / "rgba", originals))
    sixteen = bundled(folder / "sixteen", originals)
    assert "scaled 8 images" in said(sixteen)
    assert sixteen.scores.value == grey.scores.value, "the same grey images, of 16 bits"


def test_a_csv_without_a_header_keeps_its_first_image(cases: Path) -> None:
    folder = cases / "47-csv-variants"
    for name in ("nohead.csv", "index.csv", "float01.csv", "point0.csv"):
        found = bundled(folder / name, folder / "ok.csv")
        assert (found.n_a, found.n_b) == (4, 4)
        assert found.scores.value == pytest.approx(0, abs=1e-6), name
