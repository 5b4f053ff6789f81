"""A finished run opened again: its models, test set and stored work, as they were when it was scored.

Images of a run are rendered from the tokens in its store. These are never computed again, so the tokens drawn or exported
are the ones that were scored. Only the tokenizer's decoder runs; another device or number of threads can change how a pixel
is rounded.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.grid.plan import Cell, Plan, cell_of
from bench.grid.spec import with_paths_from
from bench.results.declared import require_declared
from bench.results.stored import StoredWork, open_stored
from bench.run import blocks as blocking
from bench.run import environment
from bench.run.inputs import find_checkpoints, open_test_set
from bench.run.job import Job
from bench.run.runtime import Runtime
from maskgit.checkpoints.locate import is_undeclared
from maskgit.checkpoints.native import load_model
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.folder import RunFolder
    from bench.run.blocks import Block


@dataclass(frozen=True, eq=False)
class Reopened:
    """A run's test set, and by checkpoint its model and its stored work."""

    blocks: list[Block]
    jobs: dict[str, Job]
    works: dict[str, StoredWork]


def find_cell(run: RunFolder, cell_id: str) -> Cell:
    """A cell of a run, by its id.

    Raises:
        InputError: The cell is unknown.
    """
    require_declared(run)
    known = run.cells.cell_id.tolist()
    if cell_id not in known:
        near = difflib.get_close_matches(cell_id, known, n=3) or known[:3]
        raise InputError(
            f"--cell {cell_id}: no such cell; {run.path / 'cells.parquet'} lists the {len(known)} cells of the run,"
            f" for example {', '.join(near)}"
        )
    return cell_of(run.table("cells").slice(known.index(cell_id), 1).to_pylist()[0])


def reopen(run: RunFolder, cells: Sequence[Cell], device: str | None = None) -> Reopened:
    """Open everything that is needed to render the images of some cells.

    Raises:
        InputError: The run's test set or a checkpoint is missing or changed; or the device is not available.
    """
    spec, plan = with_paths_from(run.spec, run.base), Plan(tuple(cells))
    where = environment.resolve_device(device or spec.execution.device)
    numerics = environment.configure(spec.execution, where)
    works = {name: open_stored(run, name) for name in plan.checkpoints}
    try:
        checkpoints = find_checkpoints(spec, run.base)
        earlier = [work.image_ids for work in works[plan.checkpoints[0]].blocks]
        blocks = blocking.split(open_test_set(spec.data), spec.execution.block, earlier=earlier)
        if gone := [name for name in plan.checkpoints if name not in checkpoints]:
            raise InputError(
                f"model.checkpoint: the run's {gone[0]} now has another name: {', '.join(checkpoints)}; run again"
            )
        models = {
            name: load_model(
                checkpoints[name], where, precision=spec.execution.precision, fingerprint=works[name].model
            )
            for name in plan.checkpoints
        }
    except InputError as error:
        raise InputError(f"{run.path}: rendering needs the run's original inputs, but {error}") from None
    for name, model in models.items():
        if is_undeclared(works[name].model):
            raise InputError(
                f"{run.path}: {name} declares no fingerprint, so it cannot be verified as the run's model; add FINGERPRINT "
                "to its module and run again"
            )
        if model.fingerprint != works[name].model:
            raise _changed(run, f"the weights of {name}")
        if tuple(block.identity for block in blocks) != works[name].blocks:
            raise _changed(run, "the test set")
    runtime = Runtime(where, numerics)
    jobs = {name: Job(name, model, plan.of(name), runtime) for name, model in models.items()}
    return Reopened(blocks, jobs, works)


def _changed(run: RunFolder, what: str) -> InputError:
    return InputError(
        f"{run.path}: {what} changed since the run; the same `maskbench run` command with --replace updates it"
    )
