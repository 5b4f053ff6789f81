"""Everything that is logged of a run, the same for every tracker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.results.cells import plain
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from bench.document.image import EmbeddedImage
    from bench.results.folder import RunFolder


@dataclass(frozen=True)
class Content:
    """A run, ready to be logged.

    Attributes:
        name: Name of the run.
        parameters: Facts about the run: data, checkpoints, extractors, versions, and the settings of the best cell.
        scalars: Numbers of the best cell, as best/<name>.
        curves: Score by sweet spot, (step, score), of every trajectory, by name.
        cells: All cells, one row each.
        images: The sheets of the report.
        notes: What was left out and why.
    """

    name: str
    parameters: dict[str, str]
    scalars: dict[str, float]
    curves: dict[str, list[tuple[int, float]]]
    cells: pa.Table
    images: Sequence[EmbeddedImage]
    notes: tuple[str, ...] = ()


def content_of(run: RunFolder, images: bool = True) -> Content:
    """Read a run folder.

    Args:
        run: The run.
        images: With the sheets of the report; they are drawn from the stored tokens, or left out with a note.

    Raises:
        InputError: A table is missing or damaged, or no cell has a score.
    """
    from bench.report.view import build

    view = build(run.path)
    best = view.best
    if best is None:
        raise InputError(f"{run.path}: no cell has a score yet; the same `maskbench run` command resumes the run")
    numbers: dict[str, Any] = {"score": best.score, "score_se": best.score_se, **best.measures}
    for row in view.metrics:
        if row.cell_id == best.cell_id and row.features and row.subset == "all":
            numbers[f"{row.features}/{row.metric}"] = row.value
    curves: dict[str, list[tuple[int, float]]] = {}
    for cell in view.cells:
        if cell.score is not None:
            named = {axis: cell.settings[axis] for axis in view.varied}
            name = " ".join([cell.gamma, f"T{cell.total_iter}", *(f"{axis} {plain(v)}" for axis, v in named.items())])
            curves.setdefault(name, []).append((cell.sweet_spot, cell.score))
    sheets, notes = _sheets(run) if images else ((), ())
    return Content(
        name=run.record.name,
        parameters={
            "score": view.metric.column,
            "data": run.record.data.name,
            "images": str(run.record.data.n_images),
            "checkpoints": ", ".join(f"{c.name} {c.fingerprint[:12]}" for c in run.record.checkpoints),
            "maskbench": run.record.version,
            **{f"best/{name}": plain(value) for name, value in best.settings.items()},
        },
        scalars={f"best/{name}": float(value) for name, value in numbers.items() if value is not None},
        curves={name: sorted(points) for name, points in curves.items()},
        cells=run.table("cells"),
        images=sheets,
        notes=notes,
    )


def _sheets(run: RunFolder) -> tuple[Sequence[EmbeddedImage], tuple[str, ...]]:
    from bench.show.command import report_images

    try:
        return report_images(run), ()
    except InputError as error:
        return (), (f"no images: {error}",)
