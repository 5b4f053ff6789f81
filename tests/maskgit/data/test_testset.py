"""Test sets: round trips, matching by number, every kind of bad input by name, and the real set."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskgit.data.checks import pair_problems
from maskgit.data.decode import decode
from maskgit.data.demo import catfaces
from maskgit.data.export import write_dataset, write_masks
from maskgit.data.folders import scan
from maskgit.data.loading import load_test_set
from maskgit.data.problems import ProblemList
from maskgit.data.testset import TestSet, catfaces_test_set
from maskgit.errors import InputError

COUNT = 6


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
    """A copy of the written set, to be spoilt."""
    return Path(shutil.copytree(written, tmp_path / "set"))


@pytest.fixture(scope="module")
def real(shared: Path) -> TestSet:
    root = shared / "data" / "cat-faces-64"
    return load_test_set(masks=root / "mask64", masked_images=root / "masked_image", ground_truth=root / "test_gt.csv")


def _load(folder: Path, form: str = "triple", **options: Any) -> TestSet:
    return load_test_set(
        masks=folder / "mask64",
        masked_images=None if form.startswith("painted") else folder / "masked_image",
        ground_truth=folder / ("test_gt.csv" if form.endswith("csv") else "test_gt"),
        **options,
    )


def _problems(folder: Path, form: str = "triple", **options: Any) -> tuple[str, ...]:
    with pytest.raises(ProblemList) as caught:
        _load(folder, form, **options)
    assert str(caught.value).isprintable()
    return caught.value.problems


def _assert_equal(a: TestSet, b: TestSet) -> None:
    for field in ("image_ids", "masked", "hole", "truth"):
        x, y = getattr(a, field), getattr(b, field)
        assert x.dtype == y.dtype
        assert np.array_equal(x, y), field
    assert a.pixel_sha256 == b.pixel_sha256


# ---- what comes out


@pytest.mark.parametrize("form", ["triple", "csv", "painted", "painted csv"])
def test_what_was_written_loads_as_it_was(faces: TestSet, written: Path, form: str) -> None:
    loaded = _load(written, form)
    _assert_equal(loaded, faces)
    assert loaded.notes == ()
    assert loaded.name == "faces"
    assert loaded.sources["masks"] == str(written / "mask64")


def test_the_built_in_set_is_grey_in_the_hole_and_true_elsewhere(faces: TestSet) -> None:
    hole = np.broadcast_to(faces.hole[:, None], faces.masked.shape)
    assert (faces.masked[hole] == 128).all()
    assert np.array_equal(faces.masked[~hole], faces.truth[~hole])
    assert faces.image_ids.tolist() == list(range(COUNT))
    first = catfaces.SPLITS["test"].start
    assert np.array_equal(faces.truth, catfaces.render(np.arange(first, first + COUNT)))


def test_a_larger_built_in_set_starts_with_the_smaller_one(faces: TestSet) -> None:
    two = catfaces_test_set(2)
    assert two.pixel_sha256 == faces.pixel_sha256[:2]
    for count in (0, -1, 10**9):
        with pytest.raises(InputError, match="count"):
            catfaces_test_set(count)


def test_the_larger_built_in_set_has_larger_holes_of_the_same_share() -> None:
    large = catfaces_test_set(3, 128)
    assert large.truth.shape == (3, 3, 128, 128)
    assert large.hole.shape == (3, 128, 128)
    assert 0.1 <= large.hole.mean() <= 0.3
    assert set(large.pixel_sha256).isdisjoint(catfaces_test_set(3).pixel_sha256)
    with pytest.raises(InputError, match=r"data.size: catfaces are 64 or 128 pixels wide, got 100"):
        catfaces_test_set(3, 100)


def test_files_belong_together_by_number_however_they_are_named_and_arrive(faces: TestSet, folder: Path) -> None:
    renamed = {"masked_image": "v{}_x.jpg", "mask64": "hole 64 {:05d}.png", "test_gt": "{}"}
    for name, pattern in renamed.items():
        for number, path in sorted(scan(folder / name)[0].items(), reverse=True):
            path.rename(path.with_name(pattern.format(number * 7 + 3)))
    (folder / "mask64" / ".DS_Store").touch()
    (folder / "mask64" / "old_3").mkdir()
    loaded = _load(folder)
    assert loaded.image_ids.tolist() == [i * 7 + 3 for i in range(COUNT)]
    assert loaded.pixel_sha256 == faces.pixel_sha256
    # beyond 9, order by name is not order by number: the CSV's rows follow the numbers
    assert np.array_equal(_load(folder, "csv").truth, faces.truth)


def test_fingerprints_cover_masked_pixels_and_holes(faces: TestSet) -> None:
    assert len(set(faces.pixel_sha256)) == COUNT
    first = faces.masked[0].tobytes() + faces.hole[0].tobytes()
    assert faces.pixel_sha256[0] == sha256(first).hexdigest()


@pytest.mark.parametrize("form", ["triple", "csv"])
def test_a_limit_takes_the_smallest_numbers(faces: TestSet, written: Path, form: str) -> None:
    loaded = _load(written, form, limit=2)
    assert loaded.image_ids.tolist() == [0, 1]
    assert loaded.pixel_sha256 == faces.pixel_sha256[:2]
    assert np.array_equal(loaded.truth, faces.truth[:2])
    assert len(_load(written, form, limit=99)) == COUNT
    with pytest.raises(InputError, match="limit"):
        _load(written, form, limit=0)


def test_sets_saved_with_loss_and_painted_in_another_colour_pass(folder: Path) -> None:
    for path in (folder / "masked_image").iterdir():
        with Image.open(path) as image:
            image.save(path, "JPEG", quality=75)
    assert len(_load(folder)) == COUNT
    for number, path in scan(folder / "masked_image")[0].items():
        pixels = decode(folder / "test_gt" / f"image_{number:03d}.png", 3)
        hole = decode(folder / "mask64" / f"mask_{number:03d}.png", 1)[0] == 0
        pixels[:, hole] = np.array([[255], [0], [255]])
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path, "PNG")
    assert len(_load(folder)) == COUNT


# ---- what is refused

Spoil = Callable[[Path], object]


def _repaint(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with Image.open(path) as image:
        pixels = np.array(image)
    Image.fromarray(change(pixels).astype(np.uint8)).save(path, "PNG")


def _swap(a: Path, b: Path) -> None:
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def _with_alpha(path: Path) -> None:
    with Image.open(path) as image:
        rgba = image.convert("RGBA")
    rgba.putpixel((0, 0), (0, 0, 0, 254))
    rgba.save(path)


FILE_DAMAGE: dict[str, tuple[Spoil, str]] = {
    "zero": (lambda p: p.write_bytes(b""), "zero bytes"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), "truncated"),
    "text": (lambda p: p.write_text("hello"), "not an image"),
    "alpha": (lambda p: _with_alpha(p), "transparent in places (mode RGBA)"),
    "small": (lambda p: Image.open(p).resize((32, 64), 0).save(p), "32×64 pixels, want 64×64"),
}


@pytest.mark.parametrize("role", ["mask64/mask_002.png", "masked_image/image_002.png", "test_gt/image_002.png"])
@pytest.mark.parametrize("damage", FILE_DAMAGE)
def test_a_damaged_file_is_named(folder: Path, role: str, damage: str) -> None:
    spoil, said = FILE_DAMAGE[damage]
    spoil(folder / role)
    (problem,) = _problems(folder)
    assert problem.startswith(f"{role}: ")
    assert said in problem


MASK_DAMAGE: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "all hole": (np.zeros_like, "all hole"),
    "no hole": (lambda m: np.full_like(m, 255), "no hole"),
    "grey": (lambda m: np.where(m == 0, 100, 255), "neither black nor white"),
    "grey columns": (lambda m: np.concatenate([m[:, :60], np.full_like(m[:, :4], 128)], axis=1), "neither black nor"),
    "inverted": (lambda m: 255 - m, "inverted"),
}


@pytest.mark.parametrize("form", ["triple", "csv", "painted", "painted csv"])
@pytest.mark.parametrize("damage", MASK_DAMAGE)
def test_a_bad_mask_is_named(folder: Path, form: str, damage: str) -> None:
    change, said = MASK_DAMAGE[damage]
    _repaint(folder / "mask64" / "mask_004.png", change)
    (problem,) = _problems(folder, form)
    assert problem.startswith("mask64/mask_004.png")
    assert said in problem


def test_large_holes_pass_where_the_masked_images_prove_them(folder: Path) -> None:
    for path in (folder / "mask64").iterdir():
        _repaint(path, lambda mask: 255 - mask)
        truth = decode(folder / "test_gt" / path.name.replace("mask", "image"), 3)
        truth[:, decode(path, 1)[0] == 0] = 128
        Image.fromarray(truth.transpose(1, 2, 0)).save(folder / "masked_image" / path.name.replace("mask", "image"))
    assert _load(folder).hole.mean() > 0.7
    assert len(_problems(folder, "painted")) == COUNT
    assert _load(folder, "painted", masks_are="hole_black").hole.mean() > 0.7


@pytest.mark.parametrize("form", ["triple", "csv"])
def test_exchanged_masks_are_named(folder: Path, form: str) -> None:
    _swap(folder / "mask64" / "mask_001.png", folder / "mask64" / "mask_003.png")
    problems = _problems(folder, form)
    assert [problem.split(" and ")[0] for problem in problems] == ["mask64/mask_001.png", "mask64/mask_003.png"]
    assert all("do not belong together" in problem for problem in problems)


def test_exchanged_ground_truth_is_named(folder: Path) -> None:
    _swap(folder / "test_gt" / "image_001.png", folder / "test_gt" / "image_003.png")
    problems = _problems(folder)
    assert len(problems) == 2
    assert all("different images" in problem for problem in problems)


def test_an_unpainted_hole_which_would_give_the_answer_away_is_refused(folder: Path) -> None:
    shutil.copy(folder / "test_gt" / "image_002.png", folder / "masked_image" / "image_002.png")
    (problem,) = _problems(folder)
    assert "not painted" in problem


@pytest.mark.parametrize("role", ["mask64/mask_002.png", "masked_image/image_002.png", "test_gt/image_002.png"])
def test_a_missing_counterpart_is_named(folder: Path, role: str) -> None:
    (folder / role).unlink()
    (problem,) = _problems(folder)
    assert f"no file with the number 2 in {role.split('/')[0]}" in problem
    assert len(_problems(folder, limit=1)) == 1, "names are checked beyond the limit too"


def test_everything_wrong_is_listed_at_once(folder: Path) -> None:
    (folder / "masked_image" / "image_000.png").write_bytes(b"")
    (folder / "mask64" / "mask_001.png").unlink()
    _repaint(folder / "mask64" / "mask_002.png", np.zeros_like)
    _swap(folder / "test_gt" / "image_003.png", folder / "test_gt" / "image_004.png")
    (folder / "test_gt" / "image_005 copy 5.png").touch()
    problems = " | ".join(_problems(folder))
    for said in ("zero bytes", "number 1 in mask64", "all hole", "different images", "all have the number 5"):
        assert said in problems


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda lines: lines[:-1],
            f"{COUNT - 1} rows, but {COUNT} images; by the known pixels, there is none for 1 image",
        ),
        (lambda lines: [*lines[:3], *lines[4:]], "there is none for 1 image, number 2"),
        (lambda lines: [f"a,b,{lines[0]}", *(f"0,0,{line}" for line in lines[1:])], "12290 columns, want 12288"),
        (lambda lines: [*lines[:3], "x" + lines[3], *lines[4:]], "line 4"),
        (lambda lines: [lines[0], *lines[2:], lines[1]], "different images"),
        (lambda lines: [], "zero bytes"),
    ],
    ids=["last row lost", "row lost", "two columns more", "not a number", "rows moved by one", "empty"],
)
def test_a_csv_that_does_not_fit_is_refused(folder: Path, change: Callable[[list[str]], list[str]], said: str) -> None:
    csv = folder / "test_gt.csv"
    csv.write_text("\n".join(change(csv.read_text().splitlines())))
    assert said in " | ".join(_problems(folder, "csv"))


def test_folders_that_are_not_there_are_refused(written: Path) -> None:
    with pytest.raises(InputError, match="nowhere: No such file or directory"):
        load_test_set(masks=written / "nowhere", ground_truth=written / "test_gt")
    with pytest.raises(InputError, match="nowhere: No such file or directory"):
        load_test_set(masks=written / "mask64", ground_truth=written / "nowhere")


# ---- writing


def test_a_written_set_has_the_labs_names_and_polarity(written: Path) -> None:
    assert sorted(path.name for path in written.iterdir()) == ["mask64", "masked_image", "test_gt", "test_gt.csv"]
    assert min(path.name for path in (written / "mask64").iterdir()) == "mask_000.png"
    with Image.open(written / "mask64" / "mask_000.png") as mask:
        assert (mask.mode, mask.getextrema()) == ("L", (0, 255))
        assert mask.histogram()[0] < 0.31 * 64 * 64, "0 is the hole, the smaller part"
    assert (written / "test_gt.csv").read_text().startswith("0,1,2,")


@pytest.mark.parametrize(
    "write", [lambda out: write_dataset(catfaces_test_set(1), out), lambda out: write_masks(out, 2)]
)
def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path, write: Callable[[Path], None]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("precious")
    with pytest.raises(InputError, match="empty folder"):
        write(out)
    with pytest.raises(InputError, match="a file"):
        write(out / "mine")
    with pytest.raises(InputError, match="cannot be written"):
        write(out / "mine" / "below")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]
    assert (out / "mine").read_text() == "precious"


def test_a_stop_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = 0
    save = Image.Image.save

    def interrupted(image: Image.Image, *args: object, **kwargs: object) -> None:
        nonlocal saved
        saved += 1
        if saved == 3:
            raise KeyboardInterrupt
        save(image, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_masks(tmp_path / "masks", 5)
    assert list(tmp_path.iterdir()) == []


def test_masks_are_written_by_index_into_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    write_masks(tmp_path / "masks", 3, size=32, hole_ratio=(0.2, 0.25))
    write_masks(tmp_path / "new" / "masks", 5, size=32, hole_ratio=(0.2, 0.25))
    three, five = (scan(folder)[0] for folder in (tmp_path / "masks", tmp_path / "new" / "masks"))
    assert list(five) == list(range(5))
    for number, path in three.items():
        mask = decode(path, 1)
        assert mask.shape == (1, 32, 32)
        assert set(np.unique(mask)) == {0, 255}
        assert 0.2 <= (mask == 0).mean() <= 0.25
        assert path.read_bytes() == five[number].read_bytes()


@pytest.mark.parametrize("bad", [{"count": 0}, {"size": 0}, {"hole_ratio": (0.3, 0.1)}, {"hole_ratio": (0.0, 1.5)}])
def test_impossible_masks_are_refused(tmp_path: Path, bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match="masks: "):
        write_masks(tmp_path / "masks", **({"count": 2} | bad))
    assert list(tmp_path.iterdir()) == []


# ---- the real set


def test_the_real_set_loads(real: TestSet) -> None:
    assert len(real) == 747
    assert real.name == "cat-faces-64"
    assert real.image_ids.tolist() == list(range(747))
    ratio = real.hole.mean(axis=(1, 2))
    assert [round(float(x), 3) for x in (ratio.min(), ratio.max(), ratio.mean())] == [0.097, 0.299, 0.208]
    hole = np.broadcast_to(real.hole[:, None], real.masked.shape)
    assert (real.masked[hole] == 128).all()
    assert np.array_equal(real.masked[~hole], real.truth[~hole])


def test_the_written_csv_is_the_labs_byte_for_byte(real: TestSet, shared: Path, tmp_path: Path) -> None:
    first = TestSet("few", *(a[:9] for a in (real.image_ids, real.masked, real.hole, real.truth)), {}, ())
    write_dataset(first, tmp_path / "few")
    labs = (shared / "data" / "cat-faces-64" / "test_gt.csv").read_bytes().splitlines(keepends=True)
    assert (tmp_path / "few" / "test_gt.csv").read_bytes() == b"".join(labs[:10])


def test_checks_of_pairs_tell_right_from_wrong_on_real_faces(real: TestSet) -> None:
    masked, hole, truth = real.masked[::5], real.hole[::5], real.truth[::5]

    def refused(masked: np.ndarray, hole: np.ndarray, truth: np.ndarray) -> float:
        return float(np.mean([problem is not None for problem in pair_problems(masked, hole, truth)]))

    few_exchanged = hole.copy()
    few_exchanged[:50] = np.roll(hole[:50], 1, axis=0)
    assert refused(masked, hole, truth) == 0.0
    assert refused(masked, few_exchanged, truth) == 50 / len(hole), "of a lossless set, every exchanged mask"
    assert refused(masked, np.roll(hole, 1, axis=0), truth) >= 0.9
    assert refused(masked, ~hole, truth) == 1.0
    assert refused(masked, hole, np.roll(truth, 1, axis=0)) >= 0.98
    assert refused(truth, hole, truth) == 1.0


@pytest.mark.parametrize("quality", [95, 75, 50])
def test_checks_of_pairs_hold_for_jpeg(real: TestSet, quality: int, tmp_path: Path) -> None:
    chosen = slice(None, None, 5)
    masked = []
    for pixels in real.masked[chosen]:
        Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "0.jpg", quality=quality)
        masked.append(decode(tmp_path / "0.jpg", 3))
    hole, truth = real.hole[chosen], real.truth[chosen]
    assert not any(pair_problems(np.stack(masked), hole, truth))
    exchanged = pair_problems(np.stack(masked), np.roll(hole, 1, axis=0), truth)
    assert np.mean([problem is not None for problem in exchanged]) >= 0.9
