from __future__ import annotations

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from maskgit.data.demo import catfaces
from maskgit.data.demo.catfaces import chance as randomness

INDICES = np.array([0, 1, 2, 7, 19_999, 20_500, 1_000_000, 1_000_003, 3, 2**40])
PINNED = [
    [[149, 153, 169, 149], [134, 139, 143, 184], [137, 175, 137, 170], [151, 193, 140, 177]],
    [[164, 112, 129, 107], [205, 210, 201, 142], [236, 247, 188, 129], [252, 247, 216, 169]],
    [[88, 114, 133, 102], [92, 117, 131, 152], [99, 58, 54, 133], [88, 90, 103, 129]],
    [[121, 177, 167, 153], [216, 89, 224, 153], [77, 243, 156, 214], [57, 184, 104, 209]],
]
"""Mean brightness of every second 8 × 8 block of four faces."""


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return catfaces.render(np.arange(256))


def test_shape_and_type() -> None:
    pictures = catfaces.render(np.arange(3))
    assert pictures.shape == (3, 3, 64, 64)
    assert pictures.dtype == np.uint8
    assert catfaces.render(np.array([], dtype=np.int64)).shape == (0, 3, 64, 64)


def test_a_face_depends_on_its_index_alone() -> None:
    together = catfaces.render(INDICES, chunk=len(INDICES))
    alone = np.concatenate([catfaces.render(INDICES[k : k + 1]) for k in range(len(INDICES))])
    np.testing.assert_array_equal(alone, together)
    for chunk in (1, 3, 4):
        np.testing.assert_array_equal(catfaces.render(INDICES, chunk=chunk), together)


def test_order_and_repeats_do_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(INDICES))
    shuffled = catfaces.render(INDICES[order])
    np.testing.assert_array_equal(shuffled, catfaces.render(INDICES)[order])
    twice = catfaces.render(np.array([5, 5]))
    np.testing.assert_array_equal(twice[0], twice[1])


def test_no_byte_depends_on_the_instruction_set() -> None:
    """With every optional CPU feature of NumPy switched off the pictures stay the same."""
    # the place moved in NumPy 2
    core = importlib.import_module(("numpy._core" if np.__version__ >= "2" else "numpy.core") + "._multiarray_umath")
    present = [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]
    program = (
        "import numpy as np, hashlib; from maskgit.data.demo import catfaces; "
        "print(hashlib.sha256(catfaces.render(np.arange(24)).tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NPY_DISABLE_CPU_FEATURES": " ".join(off)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for off in ([], present)
    }
    assert len(digests) == 1


def test_no_two_faces_are_alike(faces: np.ndarray) -> None:
    few = np.concatenate([faces, *(catfaces.render(np.arange(start, start + 20)) for start in (20_000, 1_000_000))])
    # a coarse picture: near copies count too
    coarse = few.reshape(len(few), 3, 8, 8, 8, 8).mean(axis=(3, 5)).reshape(len(few), -1)
    assert len({picture.tobytes() for picture in few}) == len(few)
    squared = (coarse**2).sum(axis=1)
    distance = squared[:, None] + squared[None] - 2.0 * coarse @ coarse.T
    np.fill_diagonal(distance, np.inf)
    assert np.sqrt(distance.min() / coarse.shape[1]) > 2.0  # of 255, root mean square


def test_faces_vary_in_light_colour_and_contrast(faces: np.ndarray) -> None:
    values = faces.astype(np.float64)
    brightness = values.mean(axis=(1, 2, 3))
    assert brightness.min() < 60.0
    assert brightness.max() > 170.0
    assert brightness.std() > 20.0
    contrast = values.std(axis=(1, 2, 3))
    assert contrast.min() > 5.0  # nothing is blank
    warmth = (values[:, 0] - values[:, 2]).mean(axis=(1, 2))
    assert warmth.std() > 15.0
    # every pixel of the frame differs from cat to cat
    assert values.std(axis=0).min() > 20.0


def test_the_two_halves_of_a_face_tell_of_each_other(faces: np.ndarray) -> None:
    """What is inpainted can be known: a half resembles its own other half more than another cat's."""
    values = faces[:200].astype(np.float64)
    left, right = values[..., 8:32], values[..., :31:-1][..., 8:32]
    own = np.abs(left - right).mean()
    other = np.abs(left - np.roll(right, 1, axis=0)).mean()
    assert own < 0.7 * other


def test_the_look_is_the_one_of_this_version() -> None:
    """Fails when pictures change while VERSION does not; rounding alone does not make it fail."""
    pictures = catfaces.render(np.array([0, 12, 1_000_000, 1_000_011]))
    blocks = pictures.astype(np.float64).reshape(4, 3, 8, 8, 8, 8).mean(axis=(1, 3, 5))
    assert catfaces.VERSION == 1, "new pictures: take new values into PINNED"
    assert np.abs(blocks[:, ::2, 1::2] - np.array(PINNED)).max() <= 0.6


def test_splits_do_not_meet() -> None:
    splits = list(catfaces.SPLITS.values())
    assert {name: len(split) for name, split in catfaces.SPLITS.items() if name != "test"} == {
        "train": 20_000,
        "val": 1_000,
    }
    for k, one in enumerate(splits):
        for other in splits[k + 1 :]:
            assert one.stop <= other.start


def test_parameters_suffice_and_streams_are_fixed() -> None:
    """The raw words of Philox for key (7, 0) are what makes face 7; a changed stream would change every picture."""
    words = np.random.Philox(key=np.array([7, 0], dtype=np.uint64)).random_raw(1)
    drawn = randomness.Chance(np.array([7]), 64).uniform(0.0, 1.0)
    assert drawn.item() == np.float32((int(words[0]) >> 11) * 2.0**-53)


@pytest.mark.parametrize("bad", [np.array([-1]), np.array([0.5]), np.array([[1]])])
def test_bad_indices_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="indices must be"):
        catfaces.render(bad)


def test_bad_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk"):
        catfaces.render(np.array([1]), chunk=0)


def test_larger_faces_are_the_same_scenes_with_more_detail() -> None:
    small, large = (catfaces.render(np.arange(16), size).astype(np.float32) for size in catfaces.SIZES)
    assert large.shape == (16, 3, 128, 128)
    halved = large.reshape(16, 3, 64, 2, 64, 2).mean((3, 5))
    distances = np.abs(halved[:, None] - small[None]).mean((2, 3, 4))  # every halved face to every small one
    assert (distances.argmin(1) == np.arange(16)).all()
    assert np.diag(distances).max() < 8  # sensor noise and focus differ
    detail = np.abs(large - np.repeat(np.repeat(halved, 2, 2), 2, 3)).mean()
    assert detail > 1


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"size must be one of \(64, 128\), got 96"):
        catfaces.render(np.arange(1), 96)
