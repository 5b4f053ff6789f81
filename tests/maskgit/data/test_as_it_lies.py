"""Data as it lies on disk: every kind is read as it is meant and said, or refused once with the setting that helps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from maskgit.data.decode import decode
from maskgit.data.export import write_dataset
from maskgit.data.loading import load_test_set
from maskgit.data.problems import ProblemList
from maskgit.data.testset import TestSet, catfaces_test_set

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 6
MASKS, MASKED, TRUTH = "mask64", "masked_image", "test_gt"


@pytest.fixture(scope="module")
def faces() -> TestSet:
    return catfaces_test_set(COUNT)


@pytest.fixture(scope="module")
def written(faces: TestSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "faces"
    write_dataset(faces, out)
    return out


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of the written set, to be changed."""
    return Path(shutil.copytree(written, tmp_path / "set"))


def load(folder: Path, painted: bool = True, truth: str = TRUTH, **options: Any) -> TestSet:
    masked = folder / MASKED if painted else None
    return load_test_set(masks=folder / MASKS, ground_truth=folder / truth, masked_images=masked, **options)


def refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(ProblemList) as caught:
        load(folder, **options)
    assert str(caught.value).isprintable()
    return str(caught.value)


def assert_same(loaded: TestSet, faces: TestSet) -> None:
    for field in ("image_ids", "masked", "hole", "truth"):
        np.testing.assert_array_equal(getattr(loaded, field), getattr(faces, field), field)


def resave(folder: Path, change: Callable[[Image.Image], Image.Image], **options: Any) -> None:
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            changed = change(image.copy())
        changed.save(path, **{"format": "PNG", **options})


def invert(image: Image.Image) -> Image.Image:
    return image.point([255 - level for level in range(256)])


# ---- which side is the hole


def test_the_painted_side_is_the_hole_whatever_the_masks_convention(faces: TestSet, folder: Path) -> None:
    resave(folder / MASKS, invert)
    loaded = load(folder)
    assert_same(loaded, faces)
    assert "white is the hole, because that is where the masked images are painted" in loaded.notes[0]
    assert_same(load(folder, masks_are="hole_white"), faces)
    says = refusal(folder, masks_are="hole_black")
    assert f"all {COUNT} (" in says
    assert 'data.masks_are = "hole_white"' in says


def test_a_setting_that_contradicts_the_images_is_refused(folder: Path) -> None:
    assert 'data.masks_are = "hole_black"' in refusal(folder, masks_are="hole_white")


def test_without_masked_images_a_setting_decides_and_large_holes_are_suspected(faces: TestSet, folder: Path) -> None:
    resave(folder / MASKS, invert)
    says = refusal(folder, painted=False)
    assert f"all {COUNT} (" in says
    assert 'data.masks_are = "hole_white"' in says
    assert_same(load(folder, painted=False, masks_are="hole_white"), faces)
    assert load(folder, painted=False, masks_are="hole_black").hole.mean() > 0.7


def test_one_mask_the_other_way_round_is_named(folder: Path) -> None:
    path = folder / MASKS / "mask_004.png"
    with Image.open(path) as image:
        inverted = invert(image.copy())
    inverted.save(path)
    assert "mask_004.png and masked_image/image_004.png: looks inverted" in refusal(folder)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_whole_images_as_masked_images_are_refused_once_with_the_remedy(folder: Path, form: str) -> None:
    shutil.rmtree(folder / MASKED)
    shutil.copytree(folder / TRUTH, folder / MASKED)
    resave(folder / MASKED, lambda image: image, format=form)
    says = refusal(folder)
    assert f"all {COUNT} (" in says
    assert "leave data.masked_images out" in says
    assert len(load(folder, painted=False)) == COUNT


# ---- how masks are saved


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_masks_of_any_mode_are_read(faces: TestSet, folder: Path, mode: str) -> None:
    resave(folder / MASKS, lambda image: image.convert(mode))
    loaded = load(folder)
    assert_same(loaded, faces)
    assert loaded.notes == ()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_alpha_channel_that_says_something_is_refused_by_name(folder: Path, mode: str) -> None:
    def transparent(image: Image.Image) -> Image.Image:
        alpha = image.convert("L")
        image = image.convert(mode)
        image.putalpha(alpha)
        return image

    resave(folder / MASKS, transparent)
    says = refusal(folder)
    assert f"all {COUNT} (" in says
    assert f"transparent in places (mode {mode}); save it without an alpha channel" in says


def test_images_with_an_opaque_alpha_channel_are_read(faces: TestSet, folder: Path) -> None:
    resave(folder / TRUTH, lambda image: image.convert("RGBA"))
    loaded = load(folder)
    assert_same(loaded, faces)
    assert loaded.notes == (f"ground_truth: dropped the alpha channel of {COUNT} images, opaque everywhere",)


def test_masks_of_0_and_1_are_read_and_said(faces: TestSet, folder: Path) -> None:
    resave(folder / MASKS, lambda image: image.point([level // 255 for level in range(256)]))
    loaded = load(folder)
    assert_same(loaded, faces)
    assert loaded.notes == (f"masks: all {COUNT} hold 0 and 1, read as black and white",)


@pytest.mark.parametrize("quality", [95, 75])
def test_jpeg_masks_are_thresholded_and_their_grey_is_reported(faces: TestSet, folder: Path, quality: int) -> None:
    resave(folder / MASKS, lambda image: image, format="JPEG", quality=quality)
    loaded = load(folder)
    assert_same(loaded, faces)
    assert f"all {COUNT} hold other values than 0 and 255, thresholded at 128; at most" in loaded.notes[0]


def test_a_few_grey_pixels_are_thresholded_and_many_refused_with_a_remedy_that_fits(
    faces: TestSet, folder: Path
) -> None:
    def soften(image: Image.Image) -> Image.Image:  # a grey line of 64 pixels, 1.6 % of a mask, on the side it is on
        pixels = np.array(image)
        pixels[0] = np.where(pixels[0] == 0, 100, 160)
        return Image.fromarray(pixels)

    resave(folder / MASKS, soften)
    loaded = load(folder)
    assert_same(loaded, faces)
    assert "at most 1.6% of the pixels are grey" in loaded.notes[0]
    resave(folder / MASKS, lambda image: image.filter(ImageFilter.GaussianBlur(3)))
    says = refusal(folder)
    assert f"all {COUNT} (" in says
    assert "set each pixel to 0 or 255, and resize masks with nearest neighbour" in says
    resave(folder / MASKS, lambda image: image, format="JPEG")
    assert "JPEG blurs edges: save masks as PNG" in refusal(folder)


def test_masks_of_which_some_are_lossy_do_not_need_exact_edges(faces: TestSet, folder: Path) -> None:
    for path in sorted((folder / MASKS).iterdir())[:2]:
        pixels = decode(path, 1)[0]
        pixels[:, 1:][(pixels[:, :-1] == 0) & (pixels[:, 1:] == 255)] = 20  # one pixel wider, as a blurred edge may be
        Image.fromarray(pixels).save(path)
    loaded = load(folder)
    assert (loaded.hole >= faces.hole).all()
    assert "2 of 6 hold other values than 0 and 255" in loaded.notes[0]


# ---- names


def rename(folder: Path, pattern: str) -> None:
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(path.with_name(pattern.format(number)))


@pytest.mark.parametrize(
    ("masks", "masked", "truth"),
    [
        ("image{0}_mask001.png", "image{0}.png", "image{0}.png"),
        ("image{0}_mask001.png", "image{0}_mask001.png", "{0:05d}.png"),
        ("{0:05d}.png", "7_{0}.png", "image {0} of 64x64.png"),
        ("mask_{0:03d}.PNG", "{0}.Png", "{0:04d}.JPG"),
        ("Places365_val_{0:08d}_mask000.png", "Places365_val_{0:08d}.png", "Places365_val_{0:08d}.png"),
    ],
)
def test_files_are_matched_by_the_number_that_the_folders_share(
    faces: TestSet, folder: Path, masks: str, masked: str, truth: str
) -> None:
    for name, pattern in ((MASKS, masks), (MASKED, masked), (TRUTH, truth)):
        rename(folder / name, pattern)
    loaded = load(folder)
    assert_same(loaded, faces)
    assert any("is not the last in a name" in note for note in loaded.notes) == ("_mask0" in masks or "64x64" in truth)


def test_numbers_that_start_elsewhere_are_one_problem(folder: Path) -> None:
    for number, path in sorted(enumerate(sorted((folder / TRUTH).iterdir())), reverse=True):
        path.rename(path.with_name(f"{number + 1:04d}.png"))
    says = refusal(folder)
    assert says.startswith("1 problem in")
    assert "masks 0…5, masked_images 0…5, ground_truth 1…6" in says


def test_a_larger_ground_truth_folder_is_matched_and_the_rest_said(faces: TestSet, folder: Path) -> None:
    for number in (2, 5):
        (folder / MASKS / f"mask_{number:03d}.png").unlink()
        (folder / MASKED / f"image_{number:03d}.png").unlink()
    loaded = load(folder)
    assert loaded.image_ids.tolist() == [0, 1, 3, 4]
    np.testing.assert_array_equal(loaded.truth, faces.truth[[0, 1, 3, 4]])
    assert loaded.notes == (
        "ground_truth holds 6 images, of which 2 belong to no mask and are left out (matched by number)",
    )


def test_system_files_are_skipped_and_said_once(faces: TestSet, folder: Path) -> None:
    for name in (MASKS, MASKED, TRUTH):
        for junk in (".DS_Store", "Thumbs.db", "desktop.ini", "._image_000.png"):
            (folder / name / junk).write_bytes(b"\0")
        (folder / name / "__MACOSX").mkdir()
    loaded = load(folder)
    assert_same(loaded, faces)
    (note,) = loaded.notes
    assert "skipped 15 system files (.DS_Store, ._image_000.png, Thumbs.db, …)" in note


def test_the_same_problem_of_all_files_is_one_line(folder: Path) -> None:
    resave(folder / TRUTH, lambda image: image.convert("L"))
    says = refusal(folder)
    assert f"all {COUNT} (test_gt/image_000.png, test_gt/image_001.png, test_gt/image_002.png, …): 1 channel" in says


# ---- CSV


def lines_of(folder: Path) -> list[str]:
    return (folder / "test_gt.csv").read_text().splitlines()


def with_index(lines: list[str], values: list[Any]) -> list[str]:
    return [f",{lines[0]}", *(f"{value},{line}" for value, line in zip(values, lines[1:], strict=True))]


def each_value(lines: list[str], form: Callable[[str], str]) -> list[str]:
    return [lines[0], *(",".join(map(form, line.split(","))) for line in lines[1:])]


CSVS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "as the lab writes it": (lambda lines: lines, ""),
    "no header": (lambda lines: lines[1:], "no header line"),
    "a header of names": (lambda lines: [",".join(f"p{i}" for i in range(12288)), *lines[1:]], ""),
    "counted from 1": (lambda lines: [",".join(str(i + 1) for i in range(12288)), *lines[1:]], ""),
    "an index": (lambda lines: with_index(lines, list(range(COUNT))), "first column"),
    "an index from 1": (lambda lines: with_index(lines, list(range(1, COUNT + 1))), "first column"),
    "an index, no header": (lambda lines: with_index(lines, list(range(COUNT)))[1:], "first column"),
    "file names in any order": (
        lambda lines: [lines[0], *with_index(lines, [f"image_{i:03d}.png" for i in range(COUNT)])[:0:-1]],
        "first column",
    ),
    "12.0": (lambda lines: each_value(lines, lambda value: f"{value}.0"), ""),
    "0 to 1": (lambda lines: each_value(lines, lambda value: f"{int(value) / 255:.4f}"), "multiplied by 255"),
    "quoted": (lambda lines: each_value(lines, lambda value: f'"{value}"'), ""),
}


@pytest.mark.parametrize("kind", CSVS)
def test_csvs_that_tools_write_hold_the_same_images(faces: TestSet, folder: Path, kind: str) -> None:
    change, said = CSVS[kind]
    (folder / "test_gt.csv").write_text("\n".join(change(lines_of(folder))))
    loaded = load(folder, truth="test_gt.csv")
    assert_same(loaded, faces)
    assert said in " ".join(loaded.notes)
    assert bool(loaded.notes) == bool(said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: with_index(lines, [0, 1, 2, 3, 4, 9]), "no row for 1 image, number 5, by its first column"),
        (lambda lines: with_index(lines, [0, 1, 2, 3, 4, 4]), "several rows for image 4"),
        (lambda lines: with_index(lines, ["a", *range(1, COUNT)]), "no number in 'a'"),
        (
            lambda lines: [lines[0], *lines[2:]],
            "5 rows, but 6 images; by the known pixels, there is none for 1 image, number 0",
        ),
        (lambda lines: each_value(lines, lambda value: f"{int(value) / 255:.1f}"), "0…1 with at least three digits"),
        (lambda lines: each_value(lines, lambda value: str(int(value) / 127.5 - 1)), "not all values"),
        (lambda lines: ["x" + lines[1], *lines[2:]], "line 1: not all values are whole numbers"),
    ],
)
def test_csvs_that_do_not_say_which_image_or_pixel_are_refused(
    folder: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    (folder / "test_gt.csv").write_text("\n".join(change(lines_of(folder))))
    assert said in refusal(folder, truth="test_gt.csv")


def test_a_csv_of_the_whole_set_serves_a_part_that_its_masked_images_prove(faces: TestSet, folder: Path) -> None:
    for number in (0, 5):
        (folder / MASKS / f"mask_{number:03d}.png").unlink()
        (folder / MASKED / f"image_{number:03d}.png").unlink()
    loaded = load(folder, truth="test_gt.csv")
    np.testing.assert_array_equal(loaded.truth, faces.truth[1:5])
    assert "row i (from 0) is taken for image i, and 2 are not in the test set" in loaded.notes[0]
    assert "6 rows, but 4 images" in refusal(folder, truth="test_gt.csv", painted=False)
