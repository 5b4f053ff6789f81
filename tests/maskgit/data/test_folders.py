"""Numbered folders, pictures and CSVs: what is read, and what is refused by name."""

from __future__ import annotations

import os
import re
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from maskgit.data.decode import decode
from maskgit.data.folders import scan
from maskgit.data.pixel_csv import read_csv, write_csv
from maskgit.data.problems import ProblemList, problem_list
from maskgit.errors import InputError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (9, 7), dtype=np.uint8)


def _encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def _refusal(path: Path, channels: int = 3) -> str:
    with pytest.raises(InputError) as caught:
        decode(path, channels)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- names


def test_files_are_known_by_the_last_number_whatever_else_their_names_say(tmp_path: Path) -> None:
    names = {"image_10.png": 10, "cat 64x64 - 2.jpeg": 2, "v2_mask_0003": 3, "007.webp": 7, "a1b2c0.mp4": 0}
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / ".hidden_3.png").touch()
    (tmp_path / "folder_3").mkdir()
    found, problems = scan(tmp_path)
    assert not problems
    assert {path.name: number for number, path in found.items()} == names
    assert list(found) == sorted(found)


def test_two_files_with_one_number_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("image_1.png", "image_01.jpg", "image_2.png"):
        (tmp_path / name).touch()
    files, (problem,) = scan(tmp_path)
    assert re.search(r"image_01\.jpg, .*image_1\.png: all have the number 1", problem)
    assert files[2].name == "image_2.png"


def test_names_without_a_usable_number_are_refused(tmp_path: Path) -> None:
    for name in ("notes.txt", "image_2.png", f"image_{2**63}.png", f"image_{'9' * 200}.png"):
        (tmp_path / name).touch()
    files, problems = scan(tmp_path)
    assert list(files) == [2]
    assert len(problems) == 3
    assert any("notes.txt: no number" in problem for problem in problems)


def test_the_largest_number_fits_an_int64(tmp_path: Path) -> None:
    (tmp_path / f"image_{2**63 - 1}.png").touch()
    assert np.array(list(scan(tmp_path)[0]), dtype=np.int64)[0] == 2**63 - 1


@pytest.mark.parametrize("case", ["missing", "a file", "empty", "only hidden"])
def test_no_usable_folder_is_refused_by_path(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "masks"
    if case == "a file":
        folder.touch()
    elif case != "missing":
        folder.mkdir()
    if case == "only hidden":
        (folder / ".DS_Store").touch()
    with pytest.raises(InputError) as caught:
        scan(folder)
    assert str(caught.value).startswith(f"{folder}: ")


def test_a_line_feed_in_a_name_breaks_no_message(tmp_path: Path) -> None:
    (tmp_path / "evil\n\x1b[m.png").touch()
    _, (problem,) = scan(tmp_path)
    assert problem.isprintable()


def test_long_lists_name_twenty_and_count_the_rest() -> None:
    causes = [f"{i}.png: {chr(97 + i // 3)}" for i in range(33 * 3)]  # three files each, so none is said once for all
    message = str(problem_list("folder", causes))
    assert message.startswith("99 problems in folder")
    assert "19.png" in message
    assert "20.png" not in message
    assert message.endswith("; and 79 more")


def test_the_same_problem_of_many_files_is_said_once() -> None:
    causes = [f"{i}.png: {i * 7} of 4,096 pixels are grey" for i in range(747)]
    message = str(problem_list("masks", causes, total=747))
    assert "all 747 (0.png, 1.png, 2.png, …): 0 of 4,096 pixels are grey" in message
    assert len(message) < 200
    message = str(problem_list("masks", [*causes[:5], "9.png: zero bytes"], total=747))
    assert "5 (0.png, 1.png, 2.png, …): 0 of 4,096 pixels are grey; 9.png: zero bytes" in message
    assert "all" not in message


# ---- pictures


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ""])
def test_content_decides_the_format(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"image_0{suffix}"
    path.write_bytes(_encoded(RGB, form))
    assert np.array_equal(decode(path, 3), RGB.transpose(2, 0, 1))


def test_a_jpeg_named_png_is_read_like_the_jpeg(tmp_path: Path) -> None:
    data = _encoded(RGB, "JPEG")
    path = tmp_path / "image_0.png"
    path.write_bytes(data)
    with Image.open(BytesIO(data)) as image:
        assert np.array_equal(decode(path, 3).transpose(1, 2, 0), np.asarray(image))


def test_one_channel_is_read_from_grey_bilevel_and_equal_channels(tmp_path: Path) -> None:
    path = tmp_path / "mask_0.png"
    binary = np.where(GREY > 127, np.uint8(255), np.uint8(0))
    for image in (
        Image.fromarray(binary),
        Image.fromarray(binary).convert("1"),
        Image.fromarray(binary).convert("RGB"),
        Image.fromarray(binary).convert("P"),
    ):
        image.save(path)
        assert np.array_equal(decode(path, 1), binary[None]), image.mode


def test_a_palette_without_transparency_is_rgb(tmp_path: Path) -> None:
    path = tmp_path / "image_0.png"
    image = Image.fromarray(RGB).convert("P")
    image.save(path)
    assert np.array_equal(decode(path, 3), np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    image.save(path, transparency=bytes([254] * 256))
    assert "transparent in places (mode P)" in _refusal(path)
    image.save(path, transparency=bytes([255] * 256))
    assert np.array_equal(decode(path, 3), np.asarray(image.convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 3), ("RGBA", 3), ("CMYK", 3), ("I;16", 3), ("RGBA", 1), ("LA", 1), ("I;16", 1)]
)
def test_wrong_channels_are_refused_by_mode(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / "image_0.tif"
    Image.new(mode, (4, 4)).save(path)
    assert f"mode {mode}" in _refusal(path, channels)


def test_a_coloured_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask_0.png"
    path.write_bytes(_encoded(RGB, "PNG"))
    assert "three different channels" in _refusal(path, 1)


def test_damaged_files_say_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "image_0.png"
    assert "missing" in _refusal(path)
    for form in ("PNG", "JPEG", "BMP"):
        data = _encoded(np.repeat(np.repeat(RGB, 8, 0), 8, 1), form)
        path.write_bytes(data[: len(data) // 2])
        assert "truncated" in _refusal(path), form
    path.write_bytes(b"")
    assert "zero bytes" in _refusal(path)
    path.write_bytes(b"dear reader, this is a letter")
    assert "not an image" in _refusal(path)
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    assert "not an image" in _refusal(path), "PostScript must never reach an interpreter"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40))
def test_no_damage_gets_past_as_another_error(seed: int, hits: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(_encoded(RGB, ("PNG", "JPEG", "TIFF", "GIF")[seed % 4]))
    for place in rng.integers(0, len(data), hits):
        data[place] = rng.integers(0, 256)
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"damaged_{os.getpid()}.png"
    try:
        path.write_bytes(data)
        assert decode(path, 3).dtype == np.uint8
    except InputError as error:
        assert str(error).isprintable()
    finally:
        path.unlink()


def test_an_animation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image_0.gif"
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert "several frames" in _refusal(path)


# ---- CSV


@settings(max_examples=20, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(3), st.integers(1, 4), st.integers(1, 4))))
def test_a_written_csv_reads_back_in_the_labs_order(images: np.ndarray) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"pixels_{os.getpid()}.csv"
    try:
        write_csv(path, images)
        rows = read_csv(path).pixels
    finally:
        path.unlink()
    assert rows.dtype == np.uint8
    assert np.array_equal(rows, images.transpose(0, 2, 3, 1).reshape(len(images), -1))


def test_csv_dialects_that_tools_write_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gt.csv"
    for text in (
        "a,b\n1,255\n0,3\n",
        '\ufeffa,b\r\n"1","255"\r\n0,3',
        "a,b\n1.0,255.0\n\n0,3\n\n",
        "#,b\n1,255\n 0, 3\n",
    ):
        path.write_bytes(text.encode())
        assert read_csv(path).pixels.tolist() == [[1, 255], [0, 3]], text


@pytest.mark.parametrize("bad", ["256", "-1", "0.5", "nan", "inf", "x", "", "1;2", "1e3"])
def test_bad_values_are_named_by_line(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "gt.csv"
    path.write_text("a,b\n1,2\n" + f"3,{bad}\n" + "5,6\n" * 600 + f"{bad},3\n")
    with pytest.raises(ProblemList) as caught:
        read_csv(path)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["line 3", "line 604"]
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("lines_before", [1, 400])
def test_ragged_rows_are_named_by_line(tmp_path: Path, lines_before: int) -> None:
    path = tmp_path / "gt.csv"
    path.write_text("a,b\n" + "1,2\n" * lines_before + "1,2,3\n")
    with pytest.raises(ProblemList, match=f"line {lines_before + 2}: 3 columns, the lines above have 2"):
        read_csv(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "zero bytes"),
        (b"\n \n", "no row in it"),
        (b"a,b\n", "no row below the header line"),
        (b"a,b\n\n \n", "no row"),
        (b"\x89PNG\r\n\xff\xfe\x00", "not a text file"),
    ],
)
def test_files_that_are_no_such_csv_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "gt.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_csv(path)


def test_the_labs_csv_is_its_folder_of_pictures_and_loads_in_two_seconds(shared: Path) -> None:
    root = shared / "data" / "cat-faces-64"
    start = time.process_time()
    rows = read_csv(root / "test_gt.csv").pixels
    seconds = time.process_time() - start
    pictures = [decode(path, 3).transpose(1, 2, 0).reshape(-1) for path in scan(root / "test_gt")[0].values()]
    assert np.array_equal(rows, pictures)
    assert seconds < 2.0
