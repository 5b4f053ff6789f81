"""`maskbench fid` against what people ran before: pytorch-fid's own command, and torch-fidelity, on the same weights.

The weights are seeded random ones, in a torch hub cache under pytorch-fid's file name. Both peers run in processes with
packages of their own in front of the installed ones: pytorch-fid 0.3.0 needs SciPy below 1.18.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, ImageOps
from typer.testing import CliRunner

from bench.cli import app
from bench.features.inception import load_inception
from maskgit.data.export import write_dataset
from maskgit.data.testset import catfaces_test_set
from tests.peers.packages import fetched

ROOT = Path(__file__).resolve().parents[2]
N_A, N_B = 12, 14  # not whole tiles
TORCH_FIDELITY = """
import sys
import numpy as np
import torch
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x as resize
from torch_fidelity.metric_fid import fid_featuresdict_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_featuresdict_to_metric
from torch_fidelity.utils import create_feature_extractor, extract_featuresdict_from_input_id, prepare_input_from_id

a, b, weights, out = sys.argv[1:]
layer = "2048"
options = dict(input1=a, input2=b, batch_size=8, cuda=False, cache=False, verbose=False,
               feature_extractor_weights_path=weights)
extractor = create_feature_extractor("inception-v3-compat", [layer], **options)
features = [extract_featuresdict_from_input_id(side, extractor, **options) for side in (1, 2)]
statistics = [fid_featuresdict_to_statistics(side, layer) for side in features]
fid = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
n = len(features[0][layer])
doubles = [{layer: side[layer].double()} for side in features]  # its kernel is as exact as its features
kid = kid_featuresdict_to_metric(*doubles, layer, kid_subset_size=n, kid_subsets=1, verbose=False, rng_seed=0)
images = torch.stack([prepare_input_from_id(2, **options)[i] for i in range(4)])
np.savez(out, a=features[0][layer], b=features[1][layer], fid=fid, kid=kid["kernel_inception_distance_mean"],
         network_input=(resize(images.float(), size=(299, 299), align_corners=False) - 128) / 128)
"""


@pytest.fixture(scope="session")
def peers(pytestconfig: pytest.Config, random_inception: Path) -> dict[str, str]:
    """Environment variables with which Python finds the peers; their packages are fetched once, and kept."""
    wanted = ["torch-fidelity==0.4.0", "tqdm==4.67.1"]
    if tuple(map(int, version("scipy").split(".")[:2])) >= (1, 18):
        wanted.append("scipy<1.18")
    folder = fetched(pytestconfig, "fid-peers", wanted)
    path = os.pathsep.join((str(folder), str(ROOT)))
    return {**os.environ, "PYTHONPATH": path, "TORCH_HOME": str(random_inception.parents[2])}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Faces in inverted colours, and the faces, as PNGs.

    Far apart, because the peers' root of a singular product (N < D) loses some D · √ε of the greatest variance, which is
    more than 1e-4 of the distance of so few images as close to each other as masked faces and faces.
    """
    folder = tmp_path_factory.mktemp("peers")
    write_dataset(catfaces_test_set(N_B), folder / "faces")
    a, b = folder / "inverted", folder / "faces" / "test_gt"
    a.mkdir()
    for file in sorted(b.iterdir())[:N_A]:
        ImageOps.invert(Image.open(file)).save(a / file.name)
    return a, b


def ours(*arguments: str | Path) -> dict:
    result = CliRunner().invoke(app, ["fid", *map(str, arguments), "--json", "--quiet", "--no-cache"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def pytorch_fid(peers: dict[str, str], sides: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> float:
    """What `python -m pytorch_fid A B` prints."""
    command = [sys.executable, "-W", "ignore", "-m", "pytorch_fid", *map(str, sides), "--device", "cpu"]
    cwd = tmp_path_factory.mktemp("elsewhere")  # not the checkout
    result = subprocess.run(
        [*command, "--num-workers", "0"], env=peers, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return float(result.stdout.splitlines()[-1].removeprefix("FID:"))


@pytest.fixture(scope="module")
def torch_fidelity(
    peers: dict[str, str], sides: tuple[Path, Path], random_inception: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """Features, distances and the network's input, of torch-fidelity."""
    out = tmp_path_factory.mktemp("torch-fidelity") / "out.npz"
    command = [sys.executable, "-W", "ignore", "-c", TORCH_FIDELITY, *map(str, sides), str(random_inception), str(out)]
    result = subprocess.run(command, env=peers, cwd=out.parent, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    with np.load(out) as archive:
        return dict(archive)


@pytest.mark.parametrize("mode", ["folded", "strict"])
def test_the_number_is_the_one_that_pytorch_fid_prints(
    mode: str, pytorch_fid: float, sides: tuple[Path, Path], random_inception: Path
) -> None:
    options = ["--weights", random_inception, "--allow-unverified-weights", "--device", "cpu"]
    found = ours(*sides, *options, *(["--strict"] if mode == "strict" else []))
    assert (found["n_a"], found["n_b"]) == (N_A, N_B)
    assert found["fd"] == pytest.approx(pytorch_fid, rel=1e-4)
    assert "fid" not in found  # these are not the official weights


def test_on_its_features_the_distances_are_torch_fidelitys(
    torch_fidelity: dict[str, np.ndarray], tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in "ab"]
    for path in paths:
        pq.write_table(pa.table({"feature": list(torch_fidelity[path.stem])}), path)
    found = ours(*paths)
    assert found["fd"] == pytest.approx(float(torch_fidelity["fid"]), rel=1e-4)


def test_kid_over_all_images_is_torch_fidelitys_of_one_whole_subset(
    torch_fidelity: dict[str, np.ndarray], tmp_path: Path
) -> None:
    # Its subset has as many images of either side: those that its seeded generator draws.
    rng = np.random.RandomState(0)
    chosen = [torch_fidelity[name][rng.choice(n, N_A, replace=False)] for name, n in (("a", N_A), ("b", N_B))]
    paths = [tmp_path / f"{name}.parquet" for name in "ab"]
    for path, values in zip(paths, chosen, strict=True):
        pq.write_table(pa.table({"feature": list(values)}), path)
    found = ours(*paths)
    assert found["kid"] == pytest.approx(float(torch_fidelity["kid"]), rel=1e-6)


def test_the_network_is_torch_fidelitys(torch_fidelity: dict[str, np.ndarray], random_inception: Path) -> None:
    # Its resizing and scaling differ, hence its FID; from the network's input on it is the same.
    network = load_inception(random_inception)
    with torch.inference_mode():
        features = network.layers(torch.from_numpy(torch_fidelity["network_input"])).flatten(1).numpy()
    expected = torch_fidelity["b"][:4]
    assert expected.std(axis=0).max() > 0.01
    np.testing.assert_allclose(features, expected, rtol=0, atol=2e-6 * expected.max())


def test_torch_fidelitys_own_preprocessing_gives_another_number(
    torch_fidelity: dict[str, np.ndarray], pytorch_fid: float
) -> None:
    # What docs/why-my-fid-differs.md says: the libraries do not agree to the 1e-4 that equal preprocessing gives.
    assert abs(float(torch_fidelity["fid"]) / pytorch_fid - 1) > 1e-3
