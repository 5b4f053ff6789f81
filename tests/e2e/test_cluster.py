"""Runs on several Ray nodes and in several processes of this machine, some of which are killed: the same bytes.

They take minutes: `pytest -n 0 -m cluster tests/e2e/test_cluster.py`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from bench.executors import ray_pool
from bench.results.folder import open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
TIMED = {"images_per_s", "ms_per_image", "throughput_source"}
TABLES = ("cells", "images", "steps", "metrics", "references", "test_set")
BLOCKS = 8
GRID = """
[model]
checkpoint = "python:./own.py:factory"
[data]
dataset = "catfaces"
count = {count}
[grid]
gamma = ["cosine", "linear"]
total_iter = 3
[metrics]
features = "efficientnet-lite0"
[throughput]
repeats = 1
checks = 0
warm_up = 0
[execution]
tile = 2
batch_size = 1
threads = 1
device = "cpu"
"""
MODEL = """
import os, sys
from pathlib import Path
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model

FINGERPRINT = "a model in the user's own code"
HERE = Path({folder!r})


class Model:
    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def logits(self, tokens):
        if "ray" in sys.modules:
            import ray
            (HERE / f"node-{{ray.get_runtime_context().get_node_id()}}").touch()
        if (HERE / "fatal").exists():
            (HERE / "fatal").unlink()
            os.kill(os.getpid(), 9)
        return self.model.logits(tokens)


def factory():
    return Model(load_model(locate({checkpoint!r}, Path.cwd())))
"""


@pytest.fixture(scope="module")
def folder(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of eight blocks, a model in the user's own code, and its undisturbed run `local`."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "grid.toml").write_text(GRID.format(count=2 * BLOCKS))
    (folder / "own.py").write_text(MODEL.format(folder=str(folder), checkpoint=str(tiny_checkpoint)))
    with start(folder, "local") as process:
        assert process.wait() == 0
    return folder


@pytest.fixture
def nodes() -> Iterator[tuple[Any, Any]]:
    """A cluster of two nodes with a core each, and the second node."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_pool.ENVIRONMENT.items():
            patch.setenv(name, value)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        second = cluster.add_node(num_cpus=1)
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster, second
        cluster.shutdown()


def start(folder: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    """Start `maskbench run` into a folder; its standard error goes to a file."""
    command = [sys.executable, "-m", "bench.cli", "run", str(folder / "grid.toml"), "-o", str(folder / name), *options]
    with (folder / f"{name}.err").open("ab") as errors:
        return subprocess.Popen([*command, "--quiet"], cwd=ROOT, stderr=errors)


def assert_same(folder: Path, name: str) -> None:
    """The same rows as the undisturbed run in all columns that are not times, and the same stored work."""
    for table in TABLES:
        frames = [pd.read_parquet(folder / run / f"{table}.parquet") for run in (name, "local")]
        rows = [frame.drop(columns=TIMED & set(frame.columns)) for frame in frames]
        pd.testing.assert_frame_equal(*rows, check_exact=True)
    stores = [folder / run / "store" for run in (name, "local")]
    contents = [{p.relative_to(store): p.read_bytes() for p in store.rglob("*.parquet")} for store in stores]
    assert contents[1].items() <= contents[0].items()  # a block done by two processes may be in more parts


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None, "the run has ended too early"
        time.sleep(0.02)


def test_a_ray_node_stopped_mid_run(folder: Path, nodes: tuple[Any, Any]) -> None:
    cluster, second = nodes
    with start(folder, "ray", "--executor", "ray") as process:
        wait_for((folder / f"node-{second.node_id}").exists, process)
        cluster.remove_node(second, allow_graceful=False)
        assert process.wait() == 0
    errors = (folder / "ray.err").read_text()
    print(errors)
    assert "a Ray worker is lost" in errors
    assert len(list(folder.glob("node-*"))) == 2
    assert_same(folder, "ray")


def test_four_shared_processes_one_killed(folder: Path) -> None:
    (folder / "fatal").touch()
    processes = [start(folder, "shared", "--executor", "shared") for _ in range(4)]
    codes = sorted(process.wait() for process in processes)
    assert codes == [-signal.SIGKILL, 0, 0, 0]
    print(codes, (folder / "shared.err").read_text())
    assert_same(folder, "shared")
    assert open_run(folder / "shared").complete


def test_shared_processes_may_start_at_any_time(folder: Path) -> None:
    with start(folder, "staggered", "--executor", "shared") as first:
        wait_for(lambda: any((folder / "staggered").glob("claims-*/*.done")), first)
        with start(folder, "staggered", "--executor", "shared") as second:
            assert (first.wait(), second.wait()) == (0, 0)
    assert_same(folder, "staggered")
