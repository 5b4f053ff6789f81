"""Precision, recall, density, coverage and MIND against the code of others, on the same features."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from bench.metrics.monge import monge_distance_paired
from bench.metrics.neighbours import K_DENSITY, K_SUPPORT, support_scores
from tests.peers.packages import fetched

if TYPE_CHECKING:
    from pathlib import Path

PRDC = """
import sys
import numpy as np
from prdc import compute_prdc

path, *ks = sys.argv[1:]
with np.load(path) as sets:
    by_k = [compute_prdc(sets["a"].astype(float), sets["x"].astype(float), nearest_k=int(k)) for k in ks]
print(*(float(by_k[i][name]) for i, name in ((0, "precision"), (0, "recall"), (1, "density"), (1, "coverage"))))
"""


@pytest.fixture(scope="module")
def sets() -> dict[str, np.ndarray]:
    """Generated images x and their reference a: overlapping, so that no number is 0 or 1."""
    rng = np.random.default_rng(11)
    a = rng.exponential(size=(150, 6))
    return {"x": (1.4 * rng.exponential(size=(150, 6)) + 0.4).astype(np.float32), "a": a.astype(np.float32)}


def test_precision_recall_density_and_coverage_are_those_of_prdc(
    sets: dict[str, np.ndarray], pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    packages = ["prdc==0.2", "scikit-learn==1.7.2", "joblib==1.5.2", "threadpoolctl==3.6.0"]
    path = os.pathsep.join((str(fetched(pytestconfig, "prdc-peer", packages)), os.environ.get("PYTHONPATH", "")))
    np.savez(tmp_path / "sets.npz", **sets)
    command = [sys.executable, "-W", "ignore", "-c", PRDC, str(tmp_path / "sets.npz"), str(K_SUPPORT), str(K_DENSITY)]
    result = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    theirs = [float(number) for number in result.stdout.splitlines()[-1].split()]
    scores = support_scores(sets["x"], sets["a"])
    ours = [scores.mean_and_se(name)[0] for name in ("precision", "recall", "density", "coverage")]
    assert all(0.05 < number < 0.98 for number in ours)
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_mind_is_the_number_of_torch_fidelitys_recipe(sets: dict[str, np.ndarray]) -> None:
    """Its metric_mind is in no release yet (0.4.0), so this follows its steps: seed, float32 and scale 3 D."""
    x, a = (torch.from_numpy(sets[side]) for side in ("x", "a"))
    unit = torch.nn.functional.normalize(torch.randn(1000, 6, generator=torch.Generator().manual_seed(2020)), dim=1)
    sorted_x, sorted_a = ((unit @ side.T).sort(dim=1).values for side in (x, a))
    theirs = 3 * 6 * torch.nn.functional.mse_loss(sorted_x, sorted_a).item()
    assert monge_distance_paired(sets["x"], sets["a"]).value == pytest.approx(theirs, rel=1e-5)
