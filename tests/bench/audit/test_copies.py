"""Audits find the copies, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

import bench
from bench.audit.copies import NONE, Audit, audit
from bench.cli import app
from bench.grid.spec import parse_spec
from bench.report.audit import as_json
from bench.run.caveats import caveats, summarise
from maskgit.data.demo import catfaces
from maskgit.data.export import write_dataset
from maskgit.data.images import read_ground_truth
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N = 12


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """N test images, and N other images."""
    return catfaces.render(np.arange(2 * N))


def as_image(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))


def write(folder: Path, images: dict[str, Image.Image]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        image.save(folder / name, "PNG")
    return folder


def write_faces(folder: Path, images: np.ndarray) -> Path:
    return write(folder, {f"image_{i}.png": as_image(image) for i, image in enumerate(images)})


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["audit", *(str(argument) for argument in arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def as_jpeg(image: Image.Image, folder: Path) -> Image.Image:
    image.save(folder / "spare", "JPEG", quality=60)
    with Image.open(folder / "spare") as again:
        return again.convert("RGB")


def one_pixel_changed(image: Image.Image, _: Path) -> Image.Image:
    pixels = np.array(image)
    pixels[5, 7, 1] ^= 1
    return Image.fromarray(pixels)


def shifted(image: Image.Image, _: Path) -> Image.Image:
    """Shifted right by 1 px and down by 2 px, with the edge repeated."""
    return Image.fromarray(np.pad(np.asarray(image), ((2, 0), (1, 0), (0, 0)), mode="edge")[:64, :64])


CHANGES: dict[str, Callable[[Image.Image, Path], Image.Image]] = {
    "mirrored": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "re-encoded": as_jpeg,
    "re-encoded and mirrored": lambda image, folder: as_jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder),
    "one pixel changed": one_pixel_changed,
    "shifted by 2": shifted,
    "brightened": lambda image, _: image.point(lambda value: min(255, round(1.1 * value + 8))),
    "enlarged": lambda image, _: image.resize((150, 150)),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_suspected_and_not_counted_as_exact(faces: np.ndarray, change: str, tmp_path: Path) -> None:
    copies = {f"{i:02d}.png": CHANGES[change](as_image(faces[i]), tmp_path) for i in range(0, N, 3)}
    others = {f"other{i}.png": as_image(image) for i, image in enumerate(faces[N:])}
    findings = audit(faces[:N], [write(tmp_path / "train", {**others, **copies})])
    (folder,) = findings.folders
    assert np.flatnonzero(folder.near).tolist() == list(range(0, N, 3))
    assert folder.suspects is not None
    assert [folder.files[i] for i in folder.suspects.index[folder.near]] == list(copies)
    assert not findings.in_training.any()
    assert findings.clean.all()
    assert (findings.near_training == folder.near).all()
    assert folder.n_same_size == len(folder.files) - (len(copies) if change == "enlarged" else 0)


def test_an_exact_copy_is_found_in_any_format_and_under_any_name(faces: np.ndarray, tmp_path: Path) -> None:
    folder = write(tmp_path / "train", {"a cat.jpg": as_image(faces[3]), "z": as_image(faces[N])})
    as_image(faces[5]).save(folder / "b.webp", lossless=True)
    (overlap,) = audit(faces[:N], [folder]).folders
    assert overlap.files == ("a cat.jpg", "b.webp", "z")
    assert {i: overlap.copy[i] for i in np.flatnonzero(overlap.exact)} == {3: 0, 5: 1}
    assert not overlap.near.any()


def test_an_image_with_an_exact_copy_is_not_suspected_as_well(faces: np.ndarray, tmp_path: Path) -> None:
    both = {"exact.png": as_image(faces[0]), "mirror.png": CHANGES["mirrored"](as_image(faces[0]), tmp_path)}
    findings = audit(faces[:N], [write(tmp_path / "train", both)])
    assert findings.folders[0].exact.tolist() == [True] + [False] * (N - 1)
    assert not findings.near_training.any()


def test_distinct_images_are_neither_copies_nor_suspected(tmp_path: Path) -> None:
    images = catfaces.render(np.arange(120))
    findings = audit(images[:40], [write_faces(tmp_path / "train", images[40:])])
    assert findings.n_distinct == findings.n_test == 40
    assert findings.suspects is not None
    assert not findings.suspects.found.any()
    assert not findings.in_training.any()
    assert not findings.near_training.any()


def test_near_copies_within_the_test_set_suspect_each_other(faces: np.ndarray) -> None:
    images = np.concatenate([faces[:N], faces[2:3, :, :, ::-1], faces[2:3]])
    findings = audit(images, [])
    assert findings.copy_of.tolist() == [*range(N + 1), 2]
    assert findings.n_distinct == N + 1
    assert findings.suspects is not None
    pairs = {int(i): int(findings.suspects.index[i]) for i in np.flatnonzero(findings.suspects.found)}
    assert pairs == {2: N, N: 2, N + 1: N}
    assert findings.clean.all()


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_exact_numbers_are_those_of_comparing_every_pair(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 4), dtype=np.uint8)
    draw = st.lists(st.integers(0, 5), min_size=1, max_size=8)
    test, *train = (data.draw(draw) for _ in range(3))
    root = tmp_path_factory.mktemp("audit")
    findings = audit(palette[test], [write_faces(root / str(k), palette[t]) for k, t in enumerate(train)], near=False)
    assert findings.copy_of.tolist() == [test.index(kind) for kind in test]
    assert findings.n_distinct == len(set(test))
    for folder, kinds in zip(findings.folders, train, strict=True):
        assert folder.copy.tolist() == [kinds.index(kind) if kind in kinds else NONE for kind in test]
    assert findings.clean.tolist() == [kind not in {*train[0], *train[1]} for kind in test]
    assert findings.suspects is None


def test_the_order_of_the_folders_does_not_matter(faces: np.ndarray, tmp_path: Path) -> None:
    mirrored = faces[:, :, :, ::-1]
    folders = [
        write_faces(tmp_path / "a", np.concatenate([faces[:3], mirrored[4:6]])),
        write_faces(tmp_path / "b", np.concatenate([faces[2:4], mirrored[6:7], faces[N:]])),
    ]
    forth, back = audit(faces[:N], folders), audit(faces[:N], folders[::-1])
    assert (forth.in_training == back.in_training).all()
    assert (forth.near_training == back.near_training).all()
    for one, other in zip(forth.folders, back.folders[::-1], strict=True):
        assert one.name == other.name
        assert (one.copy == other.copy).all()
        assert (one.near == other.near).all()
    assert np.flatnonzero(forth.in_training).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(forth.near_training).tolist() == [4, 5, 6]


def test_progress_adds_up_to_the_work(faces: np.ndarray, tmp_path: Path) -> None:
    from bench.audit.copies import TEST_IMAGE

    folder = write_faces(tmp_path / "train", faces[N:])
    for near in (True, False):
        steps: list[float] = []
        audit(faces[[0, 0, 1]], [folder], near=near, progress=steps.append)
        assert sum(steps) == 3 * TEST_IMAGE + N


# ---- the test set


def test_a_folder_a_csv_and_a_data_set_are_the_same_images(tmp_path: Path) -> None:
    write_dataset(catfaces_test_set(4), tmp_path / "data")
    folder, csv = (read_ground_truth(tmp_path / "data" / name) for name in ("test_gt", "test_gt.csv"))
    names, images = folder.names, folder.images
    rows, same = csv.names, csv.images
    assert folder.notes == csv.notes == ()
    assert names == tuple(f"image_{i:03d}.png" for i in range(4))
    assert rows == tuple(f"row {i}" for i in range(4))
    np.testing.assert_array_equal(images, same)
    np.testing.assert_array_equal(read_ground_truth(tmp_path / "data").images, images)


# ---- the command


def test_the_table_and_the_json_name_what_was_found(faces: np.ndarray, tmp_path: Path) -> None:
    test = write_faces(tmp_path / "test", faces[[0, 1, 2, 2]])
    train = write(tmp_path / "train", {"a.png": as_image(faces[0]), "b.png": as_image(faces[1][:, :, ::-1])})
    content = json.loads(invoke(test, "--train", train, "--json"))
    assert content["test"] == {
        "path": str(test), "images": 4, "distinct": 3, "copies": 1, "width": 64, "height": 64,
    }  # fmt: skip
    counts = {"images": 2, "same_size": 2, "exact": 1, "suspected": 1, "passed_over": []}
    assert content["train"] == [{"path": str(train), **counts}]
    assert [content[key] for key in ("in_training", "clean", "suspected", "suspected_in_test")] == [1, 3, 1, 0]
    assert content["copies"] == [{"image": "image_3.png", "of": "image_2.png"}]
    assert content["exact"] == [{"image": "image_0.png", "folder": str(train), "file": "a.png"}]
    (near_copy,) = content["near_copies"]
    assert near_copy["distance"] <= content["near"]["threshold"]
    assert (near_copy["image"], near_copy["folder"], near_copy["file"]) == ("image_1.png", str(train), "b.png")
    output = "".join(invoke(test, "--train", train).split())  # a long path is wrapped
    for line in ("image_3.png = image_2.png", f"image_0.png = {train}/a.png", f"image_1.png ~ {train}/b.png"):
        assert line.replace(" ", "") in output


def test_what_was_not_asked_is_null(faces: np.ndarray, tmp_path: Path) -> None:
    test = write_faces(tmp_path / "test", faces[:2])
    alone = json.loads(invoke(test, "--exact-only", "--json"))
    assert [alone[key] for key in ("in_training", "clean", "suspected", "suspected_in_test", "near")] == [None] * 5
    with_train = json.loads(invoke(test, "--train", test, "--exact-only", "--json"))
    assert [with_train[key] for key in ("in_training", "clean", "suspected")] == [2, 0, None]
    assert with_train["train"][0]["suspected"] is None


def test_the_table_names_the_first_few_and_list_names_all(faces: np.ndarray, tmp_path: Path) -> None:
    test = write_faces(tmp_path / "test", faces[:9])
    few, every = (invoke(test, "--train", test, "--exact-only", *option) for option in ((), ("--list",)))
    assert few.count(" = ") == 5
    assert "and 4 more" in few
    assert every.count(" = ") == 9
    assert "more" not in every


def test_images_of_another_size_are_reported_as_no_exact_copies(faces: np.ndarray, tmp_path: Path) -> None:
    train = write(
        tmp_path / "train", {"big.png": as_image(faces[0]).resize((128, 128)), "same.png": as_image(faces[1])}
    )
    test = write_faces(tmp_path / "test", faces[:2])
    content = json.loads(invoke(test, "--train", train, "--json"))
    assert content["train"] == [
        {"path": str(train), "images": 2, "same_size": 1, "exact": 1, "suspected": 1, "passed_over": []}
    ]
    assert "1 images of another size" in " ".join(invoke(test, "--train", train).split())
    counted = summarise(audit(faces[:2], [train], near=False))
    assert counted.other_size == 1
    assert any("1 training images are of another size" in text for text in caveats(2, counted, [], limited=False))


def test_sub_folders_that_are_not_searched_are_named(faces: np.ndarray, tmp_path: Path) -> None:
    train, test = write_faces(tmp_path / "train", faces[2:3]), write_faces(tmp_path / "test", faces[:2])
    write_faces(train / "more", faces[:2])
    assert json.loads(invoke(test, "--train", train, "--json"))["train"][0]["passed_over"] == ["more"]
    assert "1 sub-folders are not searched (more, …)" in " ".join(invoke(test, "--train", train).split())
    counted = summarise(audit(faces[:2], [train], near=False))
    assert any("1 sub-folders of the training folders" in text for text in caveats(2, counted, [], limited=False))


def test_names_cannot_steer_a_terminal(faces: np.ndarray, tmp_path: Path) -> None:
    names = [f"1\x1b[31m{kind}\u202e[bold].png" for kind in "ab"]
    test = write(tmp_path / "te\x1b]0;title\x07st", {name: as_image(faces[0]) for name in names})
    train = write(tmp_path / "tr\x1b[2Jain", {names[0]: as_image(faces[0]), names[1]: as_image(faces[1])})
    for option in ((), ("--json",)):
        output = invoke(test, "--train", train, *option)
        assert not {"\x1b", "\x07", "\u202e"} & set(output)
    assert "[bold]" in invoke(test, "--train", train)  # no markup is read from it either
    (train / "no\x1b[31m image").touch()
    result = CliRunner().invoke(app, ["audit", str(test), "--train", str(train)])
    assert result.exit_code == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)


# ---- runs


def test_a_run_says_how_many_images_are_clean(tiny_checkpoint: Path, tmp_path: Path) -> None:
    truth = catfaces_test_set(5).truth
    assert truth is not None
    train = write_faces(tmp_path / "train", truth[:2])
    raw = {
        "model": {"checkpoint": str(tiny_checkpoint)},
        "data": {"dataset": "catfaces", "count": 5, "train": str(train)},
        "grid": {"gamma": "cosine", "total_iter": 2},
        "metrics": {"features": "efficientnet-lite0"},
        "throughput": {"repeats": 1},
        "execution": {"tile": 4, "device": "cpu", "threads": 1},
    }
    record = json.loads((bench.run(parse_spec(raw, "test"), tmp_path / "run", quiet=True) / "run.json").read_text())
    assert record["data"] | {"duplicates_in_test": 0, "train_overlap": 2, "clean_images": 3} == record["data"]
    assert any("2 of 5 ground-truth images are in the training folders" in text for text in record["warnings"])


def test_a_summary_without_training_folders_claims_nothing(faces: np.ndarray) -> None:
    counted = summarise(audit(faces[[0, 0, 1]], [], near=False))
    assert (counted.duplicates_in_test, counted.train_overlap, counted.clean_images) == (1, None, None)
    paired, *findings = caveats(3, counted, [], limited=False)
    assert "paired reference" in paired
    assert findings == ["1 of 3 ground-truth images repeat another one exactly."]


# ---- the real photographs


@pytest.fixture(scope="session")
def real_audit(shared: Path) -> tuple[Audit, tuple[str, ...]]:
    root = shared / "data" / "cat-faces-64"
    truth = read_ground_truth(root / "test_gt.csv")
    names, images = truth.names, truth.images
    return audit(images, [root / "train", root / "val"]), names


def test_the_known_dirt_of_the_real_photographs(real_audit: tuple[Audit, tuple[str, ...]]) -> None:
    content = as_json(real_audit[0], "test_gt.csv", real_audit[1])
    assert (content["test"]["images"], content["test"]["distinct"]) == (747, 733)
    assert [folder["images"] for folder in content["train"]] == [12_000, 3_000]
    assert [folder["exact"] for folder in content["train"]] == [446, 124]
    assert (content["in_training"], content["clean"]) == (570, 177)
    assert len(content["copies"]) == 14
    assert len({finding["image"] for finding in content["exact"]}) == 570


def test_suspicion_of_the_real_photographs_is_rare_and_apart(real_audit: tuple[Audit, tuple[str, ...]]) -> None:
    """These are true near-copies by eye: mirrored, shifted or re-exposed; see docs/audit.md."""
    content = as_json(real_audit[0], "test_gt.csv", real_audit[1])
    assert content["suspected"] == 3
    exact = {finding["image"] for finding in content["exact"]}
    assert not exact & {finding["image"] for finding in content["near_copies"] if finding["folder"]}
