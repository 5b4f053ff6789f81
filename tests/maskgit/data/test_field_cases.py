"""Data that people really have: each case is read and said, or refused with what is wrong and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from maskgit.data.loading import load_test_set
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.data.testset import TestSet

READ: dict[str, str] = {
    "40-mask-inverted": "masks: white is the hole, because that is where the masked images are painted",
    "42-mask-modes": "",
    "44-mask-0-1": "masks: all 4 hold 0 and 1",
    "46-thumbs-db": "skipped 12 system files",
    "49-gt-folder-larger": "ground_truth holds 8 images, of which 4 belong to no mask",
}
"""Cases of the same four images, and what is said of each."""
CSVS: dict[str, str] = {
    "ok.csv": "",
    "nohead.csv": "no header line, its first line is an image too (4 rows)",
    "index.csv": "the first column is taken as the image's number",
    "float01.csv": "values in 0…1, multiplied by 255",
    "point0.csv": "",
}


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    return shared / "field-cases"


@pytest.fixture(scope="module")
def expected(cases: Path) -> TestSet:
    data = cases / "data"
    return load_test_set(
        masks=data / "mask64", masked_images=data / "masked_image", ground_truth=data / "test_gt", limit=4
    )


def load(case: Path, painted: bool = True, truth: str = "gt") -> TestSet:
    return load_test_set(
        masks=case / "mask", masked_images=case / "img" if painted else None, ground_truth=case / truth
    )


def assert_same(loaded: TestSet, expected: TestSet) -> None:
    assert loaded.pixel_sha256 == expected.pixel_sha256
    np.testing.assert_array_equal(loaded.truth, expected.truth)


@pytest.mark.parametrize("name", READ)
def test_cases_are_the_same_four_images(cases: Path, expected: TestSet, name: str) -> None:
    loaded = load(cases / name)
    assert_same(loaded, expected)
    assert READ[name] in " ".join(loaded.notes)
    assert bool(loaded.notes) == bool(READ[name])


@pytest.mark.parametrize("name", CSVS)
def test_csvs_hold_the_same_four_images(cases: Path, expected: TestSet, name: str) -> None:
    loaded = load(cases / "47-csv-variants", truth=name)
    assert_same(loaded, expected)
    assert CSVS[name] in " ".join(loaded.notes)
    assert bool(loaded.notes) == bool(CSVS[name])


def test_jpegs_under_other_names_are_matched_by_number(cases: Path, expected: TestSet) -> None:
    loaded = load(cases / "50-jpg-and-other-numbering")
    np.testing.assert_array_equal(loaded.hole, expected.hole)
    assert loaded.image_ids.tolist() == [0, 1, 2, 3]
    assert np.abs(loaded.truth.astype(int) - expected.truth).mean() < 5, "lossy, but the same images"


@pytest.mark.parametrize(
    ("name", "painted", "truth", "said"),
    [
        ("40-mask-inverted", False, "gt", 'set data.masks_are = "hole_white"'),
        ("45-full-images-as-input", True, "gt", "leave data.masked_images out"),
        ("47-csv-variants", True, "fewer.csv", "3 rows, but 4 images; by the known pixels, there is none for 1 image"),
    ],
)
def test_what_cannot_be_right_is_refused_once_with_the_remedy(
    cases: Path, name: str, painted: bool, truth: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(cases / name, painted, truth)
    assert said in str(caught.value)
    assert str(caught.value).count(said) == 1


def test_full_images_are_painted_where_masked_images_are_left_out(cases: Path, expected: TestSet) -> None:
    assert_same(load(cases / "45-full-images-as-input", painted=False), expected)
