"""Wherever `export`, `data` or `baseline save` is killed, the same command finishes the job and leaves nothing else.

Every call that touches the disk is a point of death (`Faults` in tests/maskgit/test_files.py). Each command runs in a
process of its own, killed at that point; another process then repeats it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.errors import IncompleteRunError
from bench.gate.baseline import save_baseline
from bench.results.finished_run import features, open_evaluated
from bench.results.folder import open_run
from bench.show.export import export_cell
from bench.verify.command import verify
from maskgit import files
from maskgit.data.export import write_dataset, write_masks
from maskgit.data.testset import catfaces_test_set
from maskgit.errors import InputError

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
MOST_POINTS = 300
STRIDES = {"export": 6, "save": 7, "save_again": 7, "data": 5, "masks": 4}
"""Every how many points of death a command is killed in the tests; as a program, this file kills it at every one."""


def load_faults() -> ModuleType:
    spec = importlib.util.spec_from_file_location("files_under_fault", ROOT / "tests/maskgit/test_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def export(run: Path, root: Path) -> None:
    export_cell(open_run(run), open_run(run).cells.cell_id.iloc[-1], root / "out", "cpu")


def data(run: Path, root: Path) -> None:
    write_dataset(catfaces_test_set(2), root / "out")


def masks(run: Path, root: Path) -> None:
    write_masks(root / "out", 2, 16)


def save(run: Path, root: Path) -> None:
    save_baseline(run, root / "out")


def save_again(run: Path, root: Path) -> None:
    """Replace a baseline of the first cell by one of the last."""
    save_baseline(run, root / "out", [open_run(run).cells.cell_id.iloc[-1]])


COMMANDS = {command.__name__: command for command in (export, data, masks, save, save_again)}


def arrange(name: str, run: Path, root: Path) -> Path:
    root.mkdir(parents=True)
    if name == "save_again":
        save_baseline(run, root / "out", [open_run(run).cells.cell_id.iloc[0]])
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Every file, leftovers included."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.skipif(files.fcntl is None, reason="no leftover is known to be one without locks")
@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_command_finishes_the_job(small_run: Path, tmp_path: Path, name: str) -> None:
    undisturbed = arrange(name, small_run, tmp_path / "undisturbed")
    COMMANDS[name](small_run, undisturbed)
    script = [sys.executable, __file__, name, str(small_run), str(tmp_path / "killed"), str(STRIDES[name])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    outcome = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    killed = sorted((tmp_path / "killed").iterdir())
    assert len(killed) > 3, "too few points of death"
    for root in killed:
        assert contents(root) == contents(undisturbed), root.name


def in_a_process(work: object) -> int:
    """Exit status of a forked process that does the work."""
    child = os.fork()
    if not child:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_everywhere(name: str, run: Path, folder: Path, stride: int = 1) -> None:
    """Kill the command at every point, until one gets through; then repeat it, unless it was done already."""
    faults = load_faults()
    for point in range(0, MOST_POINTS, stride):
        root = folder / f"{point:03d}"
        assert in_a_process(lambda root=root: arrange(name, run, root)) == 0

        def killed(root: Path = root, point: int = point) -> None:
            faults.Faults(point, kill=True).install(setattr)
            COMMANDS[name](run, root)

        def finished(root: Path = root) -> None:
            require_whole_or_refused(root / "out")
            try:
                COMMANDS[name](run, root)
            except InputError as error:  # it was killed when all was done
                if "holds files already" not in str(error):
                    raise

        status = in_a_process(killed)
        assert status in (0, 9), status
        assert in_a_process(finished) == 0
        if status == 0:
            return
    raise AssertionError("no end of fault points")


def require_whole_or_refused(out: Path) -> None:
    """A baseline that was killed half-way is never read."""
    try:
        side = open_evaluated(out)
    except (IncompleteRunError, InputError):
        return
    assert len(features(side, [scored.cell for scored in side.scored])) == len(side.scored)
    assert verify(out).intact


if __name__ == "__main__":
    kill_everywhere(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:]))
