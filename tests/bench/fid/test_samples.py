"""Samples are the files that pytorch-fid would take, as it would see them; what is passed over or converted is said."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pytorch_fid.fid_score import IMAGE_EXTENSIONS

from bench.fid.image_folders import EXTENSIONS
from bench.fid.kinds import Features, Images, Statistics
from bench.fid.samples import open_sample, require_same_images
from maskgit.data.dedup import digests
from maskgit.data.pixel_csv import write_csv
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(0)


def noise(n: int = 1, side: int = 8) -> np.ndarray:
    return RNG.integers(0, 256, (n, 3, side, side), np.uint8)


def save(path: Path, mode: str = "RGB", form: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.ascontiguousarray(noise()[0].transpose(1, 2, 0)))
    if mode == "RGBA":
        picture.putalpha(Image.fromarray(RNG.integers(0, 256, (8, 8), np.uint8)))
    picture.convert(mode).save(path, form)
    return path


def opened(path: Path, by_numbers: bool = False) -> Images:
    sample = open_sample(path, by_numbers)
    assert isinstance(sample, Images)
    return sample


def refusal(path: Path, by_numbers: bool = False) -> str:
    with pytest.raises(InputError) as error:
        open_sample(path, by_numbers)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)
    return str(error.value)


def pytorch_fids_files(folder: Path) -> list[Path]:
    """pytorch-fid 0.3.0, fid_score.compute_statistics_of_path, word for word."""
    return sorted([file for ext in IMAGE_EXTENSIONS for file in folder.glob(f"*.{ext}")])


def test_the_files_are_pytorch_fids_and_the_others_are_named(tmp_path: Path) -> None:
    assert EXTENSIONS == IMAGE_EXTENSIONS
    for name in ("b.png", "a10.jpg", "a9.tiff", "c.bmp", "no number.webp"):
        save(tmp_path / name, form="PNG")  # content decides the format, as in Pillow
    for name in ("d.gif", "nested/e.png"):
        save(tmp_path / name)
    for name in ("notes.txt", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_text("none")
    sample = opened(tmp_path)
    theirs = [np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file in pytorch_fids_files(tmp_path)]
    assert len(theirs) == 5
    np.testing.assert_array_equal(sample.read(0, sample.n), np.stack(theirs))
    assert sample.digests == tuple(digests(theirs))
    system, files, folders = sample.notes
    assert "skipped 3 system files (.DS_Store, Thumbs.db, desktop.ini)" in system
    assert "skipped 2 files (d.gif, notes.txt) of another extension, as pytorch-fid does" in files
    assert "1 sub-folder (nested)" in folders


def test_system_files_are_skipped_where_pytorch_fid_would_stumble(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.png")
    for name in ("._0.png", ".hidden.png"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    sample = opened(tmp_path)
    assert sample.n == 3
    assert "skipped 2 system files" in sample.notes[0]


def test_extensions_in_capitals_are_taken_and_said(tmp_path: Path) -> None:
    for name in ("0.PNG", "1.JPG", "2.Jpeg"):
        save(tmp_path / name)
    sample = opened(tmp_path)
    assert sample.numbers == (0, 1, 2)
    assert "read 3 files (0.PNG, 1.JPG, 2.Jpeg) with an extension in capitals; pytorch-fid skips" in sample.notes[0]


def test_the_only_folder_below_that_holds_images_is_taken(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "20250401" / "test_results" / f"{i}.png")
    save(tmp_path / "__MACOSX" / "20250401" / "0.png")
    (tmp_path / "20250401" / "log.txt").touch()
    sample = opened(tmp_path)
    assert sample.name == str(tmp_path / "20250401" / "test_results")
    assert "used, because no other folder in" in sample.notes[0]
    save(tmp_path / "20250401" / "masks" / "0.png")
    says = refusal(tmp_path)
    assert f"{tmp_path / '20250401' / 'masks'} (1)" in says
    assert f"{tmp_path / '20250401' / 'test_results'} (3)" in says


def test_grey_of_16_bits_is_scaled_where_pytorch_fid_turns_it_white(tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (3, 8, 8), np.uint8)
    for i, pixels in enumerate(grey):
        Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / f"{i}.png")
    sample = opened(tmp_path)
    np.testing.assert_array_equal(np.stack(sample.read(0, 3)), np.repeat(grey[:, None], 3, axis=1))
    assert "scaled 3 images (0.png, 1.png, 2.png) from 16 bits to 8" in sample.notes[0]
    theirs = np.asarray(Image.open(tmp_path / "0.png").convert("RGB"))
    assert (theirs[grey[0] > 0] == 255).all(), "what the note says of pytorch-fid"


def test_pictures_of_other_modes_are_converted_as_pillow_does_and_counted(tmp_path: Path) -> None:
    modes = ("1", "L", "LA", "P", "RGBA", "RGB", "RGB")
    files = [save(tmp_path / f"{i}.png", mode) for i, mode in enumerate(modes)]
    files.append(save(tmp_path / "7.jpg", "CMYK", "JPEG"))
    indexed = Image.open(files[3])
    indexed.save(files[3], transparency=bytes(range(256)))
    sample = opened(tmp_path)
    with pytest.warns(UserWarning, match="Palette images with Transparency"):
        theirs = [np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file in files]
    np.testing.assert_array_equal(sample.read(0, len(files)), np.stack(theirs))
    assert sample.notes == (
        (
            f"{tmp_path}: converted 6 images (0.png, 1.png, 2.png, …) of mode 1, CMYK, L, LA, P, RGBA to RGB, "
            "as pytorch-fid does"
        ),
    )


def test_what_cannot_be_taken_is_named_file_by_file(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.png")
    Image.new("F", (8, 8)).save(tmp_path / "deep.tif")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:100])
    says = refusal(tmp_path)
    for part in (
        "4 problems", "deep.tif: more than 16 bits per channel", "empty.png: zero bytes", "text.jpg: not an image",
        "cut.png: truncated",
    ):  # fmt: skip
        assert part in says


def test_too_few_pictures_or_one_and_the_same_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nowhere")
    assert "no images in it or below" in refusal(tmp_path)
    first = save(tmp_path / "0.png")
    assert "1 image; a distance needs at least 3" in refusal(tmp_path)
    save(tmp_path / "1.png")
    assert "2 images; a distance needs at least 3" in refusal(tmp_path)
    (tmp_path / "1.png").write_bytes(first.read_bytes())
    (tmp_path / "2.png").write_bytes(first.read_bytes())
    assert "all 3 images are the same" in refusal(tmp_path)


def test_numbers_order_a_paired_side_and_every_file_needs_its_own(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        save(tmp_path / f"image_{number}.png")
    assert opened(tmp_path, by_numbers=True).numbers == (9, 10, 100)
    by_name = opened(tmp_path)
    assert by_name.numbers == (9, 10, 100)
    assert set(by_name.digests) == set(opened(tmp_path, by_numbers=True).digests)
    save(tmp_path / "other_009.png")
    save(tmp_path / "none.png")
    assert opened(tmp_path).numbers is None
    says = refusal(tmp_path, by_numbers=True)
    assert "all have the number 9" in says
    assert "none.png: no number in its name" in says
    assert "--paired" in says


def test_numbers_that_only_other_places_of_the_names_hold_are_found(tmp_path: Path) -> None:
    for number in (3, 11, 7):
        save(tmp_path / f"image{number}_mask001.png")
    sample = opened(tmp_path, by_numbers=True)
    assert sample.numbers == (3, 7, 11)
    assert "image3_mask001.png is 3" in sample.notes[-1]


def test_a_csv_is_read_as_the_lab_writes_it(tmp_path: Path) -> None:
    images = noise(4)
    write_csv(tmp_path / "gt.csv", images)
    sample = opened(tmp_path / "gt.csv")
    np.testing.assert_array_equal(sample.read(1, 3), images[1:3])
    assert (sample.n, sample.numbers, sample.digests) == (4, None, tuple(digests(images)))
    assert sample.notes == ()
    lines = (tmp_path / "gt.csv").read_text().splitlines()
    (tmp_path / "bare.csv").write_text("\n".join(lines[1:]))
    bare = opened(tmp_path / "bare.csv")
    assert bare.digests == sample.digests, "no image is lost to a header that is not there"
    assert "no header line" in bare.notes[0]
    rows = [f"image_{7 - i}.png,{line}" for i, line in enumerate(lines[1:])]
    (tmp_path / "named.csv").write_text("\n".join([f"name,{lines[0]}", *rows]))
    named = opened(tmp_path / "named.csv")
    assert (named.numbers, named.digests) == ((4, 5, 6, 7), sample.digests[::-1])
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    assert "2 columns, want 3 · side²" in refusal(tmp_path / "odd.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    assert "not a text file" in refusal(tmp_path / "binary.csv")


LISTS = {
    "list": pa.list_(pa.float32()),
    "large": pa.large_list(pa.float64()),
    "fixed": pa.list_(pa.float32(), 5),
    "half": pa.list_(pa.float16(), 5),
}


@pytest.mark.parametrize("kind", LISTS)
def test_features_come_from_any_parquet_column_of_lists(kind: str, tmp_path: Path) -> None:
    values = RNG.normal(size=(6, 5)).astype(np.float16)
    path = tmp_path / "features.parquet"
    rows = list(values if kind == "half" else values.astype(np.float64))
    pq.write_table(pa.table({"feature": pa.array(rows, LISTS[kind])}), path, row_group_size=4)
    sample = open_sample(path)
    assert isinstance(sample, Features)
    assert sample.numbers is None
    np.testing.assert_array_equal(sample.values, values)
    ids = [7, 3, 5, 1, 9, 2]
    pq.write_table(pa.table({"image_id": ids, "feature": pa.array(rows, LISTS[kind])}), path)
    sample = open_sample(path)
    assert isinstance(sample, Features)
    assert sample.numbers == (1, 2, 3, 5, 7, 9)
    np.testing.assert_array_equal(sample.values, values[np.argsort(ids)])


FLOATS = pa.list_(pa.float32())


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"x": [1.0, 2.0, 3.0]}, "no column feature, but x"),
        ({"feature": [1.0, 2.0, 3.0]}, "column feature is double"),
        ({"feature": pa.array([[1.0], [2.0, 3.0], [4.0]], FLOATS)}, "different lengths"),
        ({"feature": pa.array([[1.0], [2.0, 3.0], []], FLOATS)}, "different lengths"),
        ({"feature": pa.array([[1.0], None, [4.0]], FLOATS)}, "nulls in column feature"),
        ({"feature": pa.array([[1.0], [None], [4.0]], FLOATS)}, "nulls in column feature"),
        ({"feature": pa.array([], FLOATS)}, "0 images; a distance needs at least 3"),
        ({"feature": pa.array([[1.0], [2.0]], FLOATS)}, "2 images; a distance needs at least 3"),
        ({"feature": pa.array([[1.0], [2.0], [3.0]], FLOATS), "image_id": [1, 2, 1]}, "several rows for image 1"),
        ({"feature": pa.array([[1.0], [2.0], [3.0]], FLOATS), "image_id": ["a", "b", "c"]}, "image_id is string"),
        (
            {"feature": pa.array([[1.0], [2.0], [3.0]], FLOATS), "image_id": [1, None, 2]},
            "column image_id is int64 or has nulls",
        ),
    ],
)
def test_parquet_files_of_anything_else_are_refused(columns: dict, says: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "features.parquet")
    assert says in refusal(tmp_path / "features.parquet")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.parquet"
    pq.write_table(pa.table({"feature": pa.array([[1.0]] * 3, FLOATS)}), path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "damaged Parquet file" in refusal(path)
    np.savez(tmp_path / "a.npz", mu=np.zeros(3))
    assert "or in an .npz mu and sigma" in refusal(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", sigma=np.eye(3))
    assert "sigma float64 (3, 3)" in refusal(tmp_path / "a.npz"), "a lone covariance is no features"
    np.savez(tmp_path / "a.npz", mu=np.array([None]), sigma=np.array([[None]]))  # objects would be unpickled
    assert "allow_pickle" in refusal(tmp_path / "a.npz")


def test_images_in_numpy_files_are_those_of_a_folder(tmp_path: Path) -> None:
    images = noise(4)
    channels_last = images.transpose(0, 2, 3, 1)
    np.savez(tmp_path / "adm.npz", channels_last, np.arange(4))
    np.savez_compressed(tmp_path / "named.npz", samples=channels_last, labels=np.arange(4))
    np.save(tmp_path / "last.npy", channels_last)
    np.save(tmp_path / "first.npy", images)
    for name, noted in (("adm.npz", "arr_1"), ("named.npz", "labels"), ("last.npy", ""), ("first.npy", "(N, channels")):
        sample = opened(tmp_path / name)
        np.testing.assert_array_equal(np.stack(sample.read(0, 4)), images)
        assert (sample.numbers, sample.digests) == (None, tuple(digests(images)))
        assert noted in " ".join(sample.notes)
    for name, array in (("float", channels_last / 255), ("grey", images[:, :1]), ("three", images[0])):
        np.save(tmp_path / f"{name}.npy", array)
        assert "expected images, uint8 (N, H, W, 3)" in refusal(tmp_path / f"{name}.npy")
    features = RNG.normal(size=(4, 5)).astype(np.float32)
    np.save(tmp_path / "features.npy", features)
    sample = open_sample(tmp_path / "features.npy")
    assert isinstance(sample, Features)
    np.testing.assert_array_equal(sample.values, features)


def test_arrays_beside_statistics_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mu=np.zeros(2), sigma=np.eye(2), mu_s=np.zeros(3), sigma_s=np.eye(3))
    sample = open_sample(tmp_path / "a.npz")
    assert isinstance(sample, Statistics)
    assert sample.notes == (f"{tmp_path / 'a.npz'}: other arrays in it are not used: mu_s, sigma_s",)


@pytest.mark.parametrize("save_archive", [np.savez, np.savez_compressed])
def test_no_flipped_byte_of_an_npz_ends_in_another_error(save_archive: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save_archive(path, mu=np.zeros(8), sigma=np.eye(8))
    good = path.read_bytes()
    for position in range(4, len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ 0xFF]) + good[position + 1 :])
        try:
            open_sample(path)
        except InputError as error:
            assert str(error).isprintable()


def test_an_npz_that_promises_more_than_it_holds_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("mu.npy", array)
        archive.writestr("sigma.npy", array)
    assert "does not fit" in refusal(tmp_path / "huge.npz")
    (tmp_path / "huge.npy").write_bytes(array)
    assert "does not fit" in refusal(tmp_path / "huge.npy")


@pytest.mark.parametrize(
    ("mu", "sigma", "says"),
    [
        (np.zeros(3), np.eye(2), r"expected a mean \(D,\) and a covariance \(D, D\)"),
        (np.zeros(2), np.array([[1, np.nan], [np.nan, 1]]), "NaN or infinite"),
        (np.zeros(2), np.zeros((2, 2)), "not a covariance"),
        (np.zeros(2), np.diag([1.0, -1.0]), "not a covariance"),
        (np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]]), "not a covariance"),
    ],
)
def test_statistics_that_are_none_are_refused(mu: np.ndarray, sigma: np.ndarray, says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mu=mu, sigma=sigma)
    with pytest.raises(InputError, match=says):
        open_sample(tmp_path / "a.npz")


def sample(n: int, numbers: tuple[int, ...] | None, name: str = "side") -> Features:
    return Features(name, numbers, RNG.normal(size=(n, 4)))


def test_paired_sides_are_of_the_same_images() -> None:
    numbered = sample(3, (1, 2, 3))
    require_same_images(numbered, sample(3, (1, 2, 3)))
    require_same_images(numbered, sample(3, None))
    for other, says in (
        (sample(3, (1, 2, 4), "gt"), "gt: --paired, but 1 of the images of side are not in it, by number: 3;"),
        (sample(4, (1, 2, 3, 4), "gt"), "side: --paired, but 1 of the images of gt are not in it, by number: 4;"),
        (sample(4, None, "gt"), "gt: --paired, but it has 4 images and side has 3;"),
        (Statistics(np.zeros(4), np.eye(4), 4.0, "gt"), "gt: --paired needs images"),
    ):
        with pytest.raises(InputError, match=says):
            require_same_images(numbered, other)
