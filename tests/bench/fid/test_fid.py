"""Comparing samples: one number whatever form they come in, and features that are kept never outlive a pixel."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench.cli import app
from bench.features import efficientnet_lite0
from bench.features.sources import resolve
from bench.fid.compare import Comparison, compare
from bench.fid.extraction import extract
from bench.fid.kinds import Images
from bench.fid.report import as_json, as_line
from bench.fid.samples import open_sample
from bench.metrics.influence import estimate_disjoint, estimate_paired
from bench.metrics.kernel import kernel_distance_disjoint, kernel_distance_paired
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 20


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fid") / "faces"
    write_dataset(catfaces_test_set(COUNT), folder)
    return folder


@pytest.fixture(scope="module")
def features(faces: Path) -> tuple[np.ndarray, np.ndarray]:
    """Bundled features of the masked images and of the ground truth."""
    samples = [images(faces / "masked_image"), images(faces / "test_gt")]
    a, b = extract(samples, resolve("efficientnet-lite0"), "cpu", quiet=True)
    return a, b


@pytest.fixture(scope="module")
def disjoint(faces: Path) -> Comparison:
    return bundled(faces / "masked_image", faces / "test_gt")


@pytest.fixture(scope="module")
def pairs(faces: Path) -> Comparison:
    return bundled(faces / "masked_image", faces / "test_gt", paired=True)


def images(path: Path) -> Images:
    sample = open_sample(path)
    assert isinstance(sample, Images)
    return sample


def bundled(a: Path, b: Path, paired: bool = False, cache: Path | None = None) -> Comparison:
    return compare(a, b, features="efficientnet-lite0", device="cpu", paired=paired, cache=cache, quiet=True)


def write_features(path: Path, values: np.ndarray, **columns: list) -> Path:
    pq.write_table(pa.table({"feature": list(values), **columns}), path)
    return path


def test_a_disjoint_comparison_is_the_estimators_of_independent_sets(
    disjoint: Comparison, features: tuple[np.ndarray, np.ndarray]
) -> None:
    frechet, kernel = estimate_disjoint(*features), kernel_distance_disjoint(*features)
    assert (disjoint.scores.value, disjoint.scores.se) == (frechet.value, frechet.se)
    assert (disjoint.scores.kid, disjoint.scores.kid_se) == (kernel.value, kernel.se)
    assert (disjoint.paired, disjoint.label, disjoint.verified) == (False, "FD", True)
    assert disjoint.scores.n_distinct is None
    assert not any("paired reference" in note for note in disjoint.notes), "that is said of runs"
    assert any("--paired" in note for note in disjoint.notes)  # the numbers are the same, so it may be meant


def test_a_paired_comparison_is_the_estimators_of_pairs_and_the_same_distance(
    disjoint: Comparison, pairs: Comparison, features: tuple[np.ndarray, np.ndarray]
) -> None:
    frechet, kernel = estimate_paired(*features), kernel_distance_paired(*features)
    assert (pairs.scores.value, pairs.scores.se) == (frechet.value, frechet.se)
    assert (pairs.scores.kid, pairs.scores.kid_se) == (kernel.value, kernel.se)
    assert pairs.scores.value == disjoint.scores.value
    assert pairs.scores.se != disjoint.scores.se
    assert pairs.scores.kid != disjoint.scores.kid
    assert not any("--paired" in note for note in pairs.notes)


def test_pairs_are_found_by_number_whatever_the_names_order(faces: Path, pairs: Comparison, tmp_path: Path) -> None:
    for i, file in enumerate(sorted((faces / "masked_image").iterdir())):
        (tmp_path / f"{chr(122 - i)}_{i}.png").write_bytes(file.read_bytes())  # z_0 … : the reverse order by name
    found = bundled(tmp_path, faces / "test_gt.csv", paired=True)
    assert found.scores == pairs.scores


def test_copies_of_an_original_count_as_one_image(faces: Path, pairs: Comparison, tmp_path: Path) -> None:
    for name in ("masked_image", "test_gt"):
        for i, file in enumerate(sorted((faces / name).iterdir())):
            (tmp_path / name).mkdir(exist_ok=True)
            for copy in (0, COUNT):
                (tmp_path / name / f"{i + copy}.png").write_bytes(file.read_bytes())
    twice = bundled(tmp_path / "masked_image", tmp_path / "test_gt", paired=True)
    assert twice.scores.n_distinct == COUNT
    assert "20 distinct originals" in as_line(twice)
    assert twice.n_a == 2 * COUNT
    # Copies leave μ and Σ as they are, up to N − 1 in place of N: the error must not shrink by √2.
    assert twice.scores.se == pytest.approx(pairs.scores.se, rel=0.1)
    assert twice.scores.kid == pytest.approx(pairs.scores.kid, rel=1e-6)


def test_folder_csv_and_features_give_one_number(
    faces: Path, disjoint: Comparison, features: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    expected = disjoint.scores
    assert bundled(faces / "masked_image", faces / "test_gt.csv").scores == expected
    a, b = (write_features(tmp_path / f"{i}.parquet", values) for i, values in enumerate(features))
    mixed = bundled(faces / "masked_image", b)
    assert mixed.scores == expected
    given = compare(a, b)
    assert given.scores == expected
    for found, name in ((mixed, "efficientnet-lite0"), (given, "given")):
        assert (found.label, found.features, found.verified) == ("FD", name, False)
        assert any("used as given" in note for note in found.notes)


def test_features_pair_by_image_id(features: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    a, b = features
    order = np.random.default_rng(0).permutation(COUNT)
    one = write_features(tmp_path / "a.parquet", a[order], image_id=order.tolist())
    other = write_features(tmp_path / "b.parquet", b, image_id=list(range(COUNT)))
    assert compare(one, other, paired=True).scores.se == estimate_paired(a, b, np.arange(COUNT)).se


def test_statistics_as_pytorch_fid_keeps_them_give_the_distance_and_no_error(
    faces: Path, disjoint: Comparison, features: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    moments = [(x.mean(axis=0), np.cov(x.astype(np.float64), rowvar=False)) for x in features]
    expected = disjoint.scores
    for name, (mu, sigma) in zip("ab", moments, strict=True):
        np.savez_compressed(tmp_path / f"{name}.npz", mu=mu, sigma=sigma)
    for a, b in ((faces / "masked_image", tmp_path / "b.npz"), (tmp_path / "a.npz", tmp_path / "b.npz")):
        found = bundled(a, b)
        assert found.scores.value == pytest.approx(expected.value, rel=1e-6)
        assert found.scores.mean_term == pytest.approx(expected.mean_term, rel=1e-6)
        assert found.scores.mean_term + found.scores.covariance_term == pytest.approx(found.scores.value)
        assert (found.scores.se, found.scores.kid, found.n_b) == (None, None, None)
        assert as_line(found).endswith("and unknown · disjoint")


def test_features_do_not_depend_on_how_many_images_are_extracted_together(
    features: tuple[np.ndarray, np.ndarray], faces: Path
) -> None:
    whole = images(faces / "test_gt")
    source = resolve("efficientnet-lite0")
    for start, stop in ((0, 1), (3, 8), (0, 17), (2, COUNT)):
        part = replace(
            whole,
            digests=whole.digests[start:stop],
            read=lambda i, j, first=start: whole.read(first + i, first + j),
        )
        np.testing.assert_array_equal(extract([part], source, "cpu", quiet=True)[0], features[1][start:stop])


def test_images_of_several_sizes_have_the_features_of_each_size_alone(faces: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted((faces / "test_gt").iterdir())[:7]):
        image = Image.open(file)
        image.resize((64 + 8 * (i % 3), 64)).save(tmp_path / file.name)
    mixed = images(tmp_path)
    assert any("images of 3 sizes (3 of 64×64, 2 of 72×64, 2 of 80×64)" in note for note in mixed.notes)
    source = resolve("efficientnet-lite0")
    together = extract([mixed], source, "cpu", quiet=True)[0]
    for row in range(7):
        alone = replace(
            mixed, digests=mixed.digests[row : row + 1], read=lambda i, j, row=row: mixed.read(row, row + 1)
        )
        np.testing.assert_array_equal(extract([alone], source, "cpu", quiet=True)[0], together[row : row + 1])


def test_fewer_predictions_than_originals_give_a_number_with_a_warning(faces: Path, tmp_path: Path) -> None:
    for file in sorted((faces / "masked_image").iterdir())[: COUNT - 3]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    found = bundled(tmp_path, faces / "test_gt")
    assert (found.n_a, found.n_b) == (COUNT - 3, COUNT)
    assert "N 17 and 20" in as_line(found)
    (note,) = [note for note in found.notes if "by number" in note]
    assert "A has 17 of the other side's 20 images, by number (without 17, 18, 19)" in note
    assert any("B has 17 of" in note for note in bundled(faces / "test_gt", tmp_path).notes)


def test_a_set_against_itself_is_at_distance_0(faces: Path) -> None:
    for paired in (False, True):
        assert bundled(faces / "test_gt", faces / "test_gt", paired).scores.value == pytest.approx(0, abs=1e-6)


def test_a_cache_that_cannot_be_written_is_said_and_left_out(faces: Path, disjoint: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = bundled(faces / "masked_image", faces / "test_gt", cache=tmp_path / "file" / "cache")
    assert found.scores == disjoint.scores
    assert [note for note in found.notes if "features are not cached" in note and "--no-cache" in note]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of images that were really extracted, tile by tile."""
    counted: list[int] = []
    make = efficientnet_lite0.network

    def counting(source, device):
        network = make(source, device)
        return lambda images: (counted.append(len(images)), network(images))[1]

    monkeypatch.setattr(efficientnet_lite0, "network", counting)
    return counted


def test_kept_features_are_used_again_and_give_the_same_bytes(faces: Path, tmp_path: Path, loads: list[int]) -> None:
    first = bundled(faces / "masked_image", faces / "test_gt", cache=tmp_path)
    assert loads
    loads.clear()
    again = bundled(faces / "masked_image", faces / "test_gt.csv", cache=tmp_path)  # content counts, not the path
    assert loads == []
    assert again.scores == first.scores


def test_one_changed_pixel_never_gets_old_features(faces: Path, tmp_path: Path, loads: list[int]) -> None:
    folder, kept = tmp_path / "faces", tmp_path / "cache"
    folder.mkdir()
    for file in (faces / "test_gt").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    before = bundled(folder, faces / "masked_image", cache=kept)
    changed = folder / "image_007.png"
    stamp = changed.stat()
    pixels = np.array(Image.open(changed))
    pixels[30, 30, 1] ^= 1
    Image.fromarray(pixels).save(changed)
    os.utime(changed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # a file's date proves nothing
    loads.clear()
    after = bundled(folder, faces / "masked_image", cache=kept)
    assert sum(loads) > 0
    assert after.scores.value != before.scores.value
    assert after.scores == bundled(folder, faces / "masked_image").scores


def test_the_command_prints_one_line_or_json_and_keeps_features(
    faces: Path, disjoint: Comparison, pairs: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sides = [str(faces / "masked_image"), str(faces / "test_gt.csv")]
    options = [*sides, "--features", "efficientnet-lite0", "--device", "cpu"]
    result = CliRunner().invoke(app, ["fid", *options, "--no-cache"])
    assert result.exit_code == 0, result.output
    assert list(tmp_path.iterdir()) == []
    assert result.stdout.splitlines() == [as_line(disjoint)]
    assert result.stdout.startswith("FD (efficientnet-lite0) ")
    assert "FID" not in result.stdout
    assert "note: " in result.stderr

    result = CliRunner().invoke(app, ["fid", *options, "--paired", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    content = json.loads(result.stdout)
    assert content == {**as_json(pairs), "b": sides[1]}
    assert {"fd", "se", "kid", "kid_se", "n_a", "n_b", "features"} < set(content)
    assert (content["n_a"], content["n_b"], content["features"]) == (COUNT, COUNT, "efficientnet-lite0")
    assert content["reference"] == "paired"
    assert (tmp_path / "maskbench" / "pictures").is_dir()
