"""Whoever does the blocks, in whatever order and however often: the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import bench
from bench.executors import ray_pool
from bench.executors.claims import CLAIM, Claims
from bench.executors.contract import Placement, Workload
from bench.executors.registry import EXECUTORS
from bench.grid.spec import Spec, parse_spec
from bench.results.folder import open_run
from bench.run import runner
from bench.run.inpaint import BlockTask
from bench.store.kinds import FEATURES
from bench.verify.command import repair, verify
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

TIMED = {"images_per_s", "ms_per_image", "throughput_source"}
TABLES = ("cells", "images", "steps", "metrics", "references", "test_set")
WORKERS = 2
FACTORY = """
import os, signal
from pathlib import Path
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model

FINGERPRINT = "a model in the user's own code"
FATAL = Path({fatal!r})


class Model:
    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def logits(self, tokens):
        if FATAL.exists():
            FATAL.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.model.logits(tokens)


def factory():
    return Model(load_model(locate({checkpoint!r}, Path.cwd())))
"""


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray cluster on this machine, for all tests of this file."""
    ray = pytest.importorskip("ray")
    from ray import cloudpickle

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_pool.ENVIRONMENT.items():
            patch.setenv(name, value)
        ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        ray.shutdown()


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> str:
    """The name of every executor in turn, with what it needs."""
    if request.param == "ray":
        request.getfixturevalue("ray")
    return str(request.param)


@pytest.fixture
def inverses(tmp_path: Path) -> Callable[..., list[float]]:
    """Does the tasks of `Inverse` with an executor."""

    def do(executor: str, tasks: Iterable[int], work: Inverse, warn: Callable[[str], None] = print) -> list[float]:
        placement = Placement(workers=1, threads=1, gpu=False, claims=tmp_path / "claims", claim_timeout_s=120)
        return list(EXECUTORS[executor](placement)(tasks, Workload(work, lambda: work, warn=warn)))

    return do


# --- the contract ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inverse:
    """The work of a worker: 1 / task. A task with a file in `fatal` removes it and kills its process."""

    fatal: Path | None = None
    isolated: bool = False

    def open(self) -> Inverse:
        return self

    def __call__(self, task: int) -> float:
        if self.fatal is not None and (self.fatal / str(task)).exists():
            if self.fatal.name == "once":
                (self.fatal / str(task)).unlink()
            os._exit(1)
        return 1 / task


def test_every_task_is_done_and_its_outcome_handed_out_once(executor: str, inverses: Callable) -> None:
    assert sorted(inverses(executor, iter([4, 2, 1]), Inverse())) == [0.25, 0.5, 1]


def test_an_error_of_the_work_is_raised_unchanged(executor: str, inverses: Callable) -> None:
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        inverses(executor, [1, 0], Inverse())


def test_a_lost_worker_is_replaced_and_its_task_given_to_another(ray: Any, inverses: Callable, tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    for task in (1, 2):
        (tmp_path / "once" / str(task)).touch()
    warnings: list[str] = []
    assert sorted(inverses("ray", [1, 2, 4], Inverse(tmp_path / "once"), warnings.append)) == [0.25, 0.5, 1]
    assert len(warnings) == 2, warnings
    assert all("a Ray worker is lost" in text for text in warnings)


def test_a_task_that_loses_every_worker_ends_the_run(ray: Any, inverses: Callable, tmp_path: Path) -> None:
    (tmp_path / "always").mkdir()
    (tmp_path / "always" / "2").touch()
    with pytest.raises(InputError, match="the block 2 has lost 3 workers"):
        inverses("ray", [2], Inverse(tmp_path / "always"))


def test_a_cluster_that_does_not_answer_is_refused(inverses: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest.importorskip("ray"), "is_initialized", lambda: False)  # by the other tests
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(InputError, match=f"RAY_ADDRESS={address}: no cluster .*ray start --head"):
            inverses("ray", [1], Inverse())


# --- runs -----------------------------------------------------------------------------------------------------------


def backwards_and_twice(tasks: Iterable[Any], workload: Workload[Any, Any]) -> Generator[Any]:
    """Do the last task first, and each again, as after a lost answer."""
    for task in reversed(list(tasks)):
        yield workload.here(task)
        workload.here(task)


def spec(checkpoint: str, executor: str = "local") -> Spec:
    raw = {
        "model": {"checkpoint": checkpoint},
        "data": {"dataset": "catfaces", "count": 5},
        "grid": {"gamma": "cosine", "total_iter": 3, "sweet_spot": [1, 3]},
        "metrics": {"features": ["efficientnet-lite0"]},
        "throughput": {"repeats": 1, "checks": 0, "warm_up": 0},
        "execution": {
            "tile": 2,
            "batch_size": 1,
            "device": "cpu",
            "threads": 1,
            "executor": executor,
            "workers": WORKERS,
        },
    }
    return parse_spec(raw, "test")


def parts(folder: Path) -> dict[str, bytes]:
    store = folder / "store"
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in sorted(store.rglob("*.parquet"))}


def assert_same(folder: Path, expected: Path) -> None:
    """The same rows in all columns that are not times, and the same parts in the store."""
    for name in TABLES:
        tables = [pd.read_parquet(run / f"{name}.parquet") for run in (folder, expected)]
        rows = [table.drop(columns=TIMED & set(table.columns)) for table in tables]
        pd.testing.assert_frame_equal(*rows, check_exact=True)
    assert parts(folder) == parts(expected)


@pytest.fixture(scope="module")
def local_run(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of three blocks in one process."""
    return bench.run(spec(str(tiny_checkpoint)), tmp_path_factory.mktemp("local") / "run", quiet=True)


@pytest.fixture
def own_model(tiny_checkpoint: Path, tmp_path: Path) -> Callable[[bool], str]:
    """Writes a model in the user's own code; if it is to be fatal, the first process that decodes is killed."""

    def write(fatal: bool) -> str:
        if fatal:
            (tmp_path / "fatal").touch()
        code = FACTORY.format(fatal=str(tmp_path / "fatal"), checkpoint=str(tiny_checkpoint))
        (tmp_path / "own.py").write_text(code)
        return f"python:{tmp_path / 'own.py'}:factory"

    return write


def test_blocks_in_any_order_give_the_same_bytes(
    tiny_checkpoint: Path, local_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXECUTORS, "local", lambda placement: backwards_and_twice)
    assert len(parts(local_run)) > 10
    assert_same(bench.run(spec(str(tiny_checkpoint)), tmp_path / "run", quiet=True), local_run)


def test_shared_blocks_of_dead_processes_and_false_promises_give_the_same_bytes(
    tiny_checkpoint: Path, local_run: Path, tmp_path: Path
) -> None:
    """The claim on the first block is that of a dead process; the second is marked as done, and is not."""
    folder = tmp_path / "run"
    claims = Claims(folder / f"claims-{open_run(local_run).record.identity[:16]}", 120)
    first, second = (BlockTask("tiny", None, number, 3).name for number in (1, 2))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert claims.take(second)
    claims.finish(second)
    (claims.folder / f"{first}{CLAIM}").write_text(json.dumps({"host": socket.gethostname(), "pid": ended.pid}))
    assert bench.run(spec(str(tiny_checkpoint), "shared"), folder, quiet=True) == folder
    assert_same(folder, local_run)
    assert not claims.folder.exists()

    (folder / "steps.parquet").unlink()
    assert repair(folder, verify(folder), quiet=True).intact  # by this process alone
    assert_same(folder, local_run)

    files = [path for path in folder.rglob("*") if path.suffix == ".parquet" or path.name == "run.json"]
    finished = [path.stat().st_mtime_ns for path in files]
    bench.run(spec(str(tiny_checkpoint), "shared"), folder, quiet=True)  # a process that comes late
    assert [path.stat().st_mtime_ns for path in files] == finished


def test_shared_processes_do_not_mix_grids(tiny_checkpoint: Path, local_run: Path, tmp_path: Path) -> None:
    shutil.copytree(local_run, tmp_path / "run")
    other = spec(str(tiny_checkpoint), "shared")
    other = other.model_copy(update={"grid": other.grid.model_copy(update={"gamma": ("linear",)})})
    with pytest.raises(InputError, match=r"another run.*grid\.gamma: cosine → linear"):
        bench.run(other, tmp_path / "run", quiet=True)


def test_ray_with_a_worker_killed_mid_run_gives_the_same_bytes(
    ray: Any, own_model: Callable[[bool], str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = bench.run(spec(own_model(False)), tmp_path / "expected", quiet=True)
    killed = bench.run(spec(own_model(True), "ray"), tmp_path / "killed", quiet=True)
    assert not (tmp_path / "fatal").exists()
    assert "a Ray worker is lost" in capfd.readouterr().err
    assert_same(killed, expected)


@pytest.mark.parametrize("executor", ["ray", "shared"], indirect=True)
def test_a_checkpoint_that_fails_is_skipped_once(
    executor: str,
    tiny_checkpoint: Path,
    own_model: Callable[[bool], str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    text, file = own_model(False), tmp_path / "own.py"
    file.write_text(
        file.read_text().replace("return self.model.logits(tokens)", "return self.model.logits(tokens) * float('nan')")
    )
    both = spec(str(tiny_checkpoint), executor)
    both = both.model_copy(update={"model": both.model.model_copy(update={"checkpoint": (text, str(tiny_checkpoint))})})
    run = open_run(bench.run(both, tmp_path / "run", quiet=True, keep_going=True))
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("skipped")]
    assert len(lines) == 1
    assert not run.complete
    assert set(run.cells["checkpoint"]) == {"tiny"}


def test_workers_that_do_not_see_the_store_get_and_return_its_parts(
    ray: Any, tiny_checkpoint: Path, local_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(local_run / "store", tmp_path / "run" / "store")
    shutil.rmtree(tmp_path / "run" / "store" / FEATURES)
    made = runner.worker_setup
    monkeypatch.setattr(runner, "worker_setup", lambda *args: replace(made(*args), store=tmp_path / "not there"))
    run = bench.run(spec(str(tiny_checkpoint), "ray"), tmp_path / "run", quiet=True)
    assert_same(run, local_run)
    assert open_run(run).record.counts["transformer_passes_run"] == 0
    assert not (tmp_path / "not there").exists()


def test_a_model_without_a_fingerprint_is_refused(ray: Any, own_model: Callable[[bool], str], tmp_path: Path) -> None:
    text, file = own_model(False), tmp_path / "own.py"
    hidden = 'if name == "fingerprint":\n            raise AttributeError(name)\n        return getattr'
    file.write_text(file.read_text().replace("FINGERPRINT", "OTHER").replace("return getattr", hidden))
    with pytest.raises(InputError, match=r"declares no fingerprint.*FINGERPRINT.*local"):
        bench.run(spec(text, "ray"), tmp_path / "run", quiet=True)
