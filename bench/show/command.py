"""PNG sheets of how single images were decoded: the steps of one cell, or several cells side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from bench.document.image import EmbeddedImage
from bench.document.text import fixed, percent, significant
from bench.files import prepare_folder, write_bytes
from bench.report.view import View, build
from bench.results.cells import settings
from bench.show.picks import Images, asked_images, image_numbers, joined, typical_images, worst_images
from bench.show.reopen import Reopened, find_cell, reopen
from bench.show.sheets import Row, Sheet, Tile, as_png, draw, error_colours, error_map, fixed_tokens
from bench.show.traces import Trace, traces
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from bench.grid.plan import Cell
    from bench.results.folder import RunFolder

FOLDER = "pictures"
REPORT_STEPS = 6  # the sheet then fits a page of 1,440 px
STEPS_NOTES = (
    "Upper row: tokens fixed after the step. Pale: known from the start. Dark blue: still masked.",
    "Lower row: the whole canvas after the step, decoded. Confidence: mean probability of the sampled tokens.",
)
INFLUENCE_NOTE = "Influence: about how much the image adds to the score."
ERROR_NOTE = "Error map: inside the hole only; pale grey is outside it."


@dataclass(frozen=True, eq=False)
class Gallery:
    """The cells of a run to draw, in order, with the numbers that its tables hold for their images."""

    view: View
    cells: tuple[Cell, ...]
    numbers: dict[str, pd.DataFrame]


def show_run(
    run: RunFolder,
    *,
    cells: Sequence[str] = (),
    images: Sequence[int] = (),
    worst: int | None = None,
    by: str | None = None,
    output: Path | None = None,
    scale: int = 2,
    device: str | None = None,
) -> list[Path]:
    """Write one sheet of decoding steps per cell and, for several cells, one sheet that compares them.

    Args:
        run: The run.
        cells: Ids of cells; the best cell by default.
        images: Ids of images; by default four images of the first cell, from easy to hard.
        worst: Instead of `images`, the number of worst images of the first cell.
        by: The order that defines the worst: a key of `bench.show.picks.ORDERS`; "error" by default.
        output: The folder to write to; `pictures` in the run folder by default.
        scale: Screen pixels per image pixel.
        device: Where the tokenizer runs; as in the run if not given.

    Returns:
        The files written.

    Raises:
        InputError: The cell, image or order is unknown; the run's inputs have changed; the folder is not writable.
    """
    gallery = open_gallery(run, build(run.path), cells)
    picked = _pick(gallery, images, worst, by)
    source = reopen(run, gallery.cells, device)
    sheets = {f"steps-{cell.cell_id}": steps_sheet(gallery, source, cell, picked) for cell in gallery.cells}
    if len(gallery.cells) > 1:
        together = joined([cell.cell_id for cell in gallery.cells], 3)
        sheets[f"compare-{together}"] = compare_sheet(gallery, source, picked)
    folder = output or run.path / FOLDER
    prepare_folder(folder)
    return [_write(sheet, folder, name + picked.tag, scale) for name, sheet in sheets.items()]


def report_images(run: RunFolder, count: int = 3) -> list[EmbeddedImage]:
    """At most `count` sheets for a report: the best cell's steps; headline cells on typical and on its worst images.

    Raises:
        InputError: The run's inputs or its stored work are missing or changed; the message says which.
    """
    view = build(run.path)
    scored = [cell for cell in view.cells if cell.score is not None]
    noted = [headline.cell_id for headline in view.headlines]
    noted += [cell.cell_id for cell in sorted(scored, key=lambda cell: cell.score or 0.0)[-1:]]
    gallery = open_gallery(run, view, noted)
    sheets = islice(_report_sheets(gallery, reopen(run, gallery.cells)), count)
    return [_embedded(sheet) for sheet in sheets]


def _embedded(sheet: Sheet) -> EmbeddedImage:
    """A sheet for an HTML page, which shows the title and the notes as text."""
    drawn = as_png(draw(replace(sheet, title="", subtitle="", notes=())))
    return EmbeddedImage(sheet.title, _alt(sheet), drawn, (sheet.subtitle, *sheet.notes))


def _report_sheets(gallery: Gallery, source: Reopened) -> Iterator[Sheet]:
    best = gallery.cells[0]
    numbers = gallery.numbers[best.cell_id]
    yield steps_sheet(gallery, source, best, typical_images(numbers, 2), REPORT_STEPS)
    yield compare_sheet(gallery, source, typical_images(numbers, 3))
    yield compare_sheet(gallery, source, worst_images(numbers, 3))


def open_gallery(run: RunFolder, view: View, cell_ids: Sequence[str]) -> Gallery:
    """The requested cells, each once, or the best one.

    Raises:
        InputError: A cell is unknown; or no cell is named and none has a score.
    """
    if not cell_ids and view.best is None:
        raise InputError(f"{run.path}: no cell has a score, so there is no best cell; name one with --cell")
    chosen_ids = dict.fromkeys(cell_ids) or ([view.best.cell_id] if view.best else [])
    cells = tuple(find_cell(run, cell_id) for cell_id in chosen_ids)
    return Gallery(view, cells, image_numbers(run, [cell.cell_id for cell in cells]))


def _pick(gallery: Gallery, images: Sequence[int], worst: int | None, by: str | None) -> Images:
    if images and worst is not None:
        raise InputError("--image and --worst: both choose the images; give only one of them")
    if by is not None and worst is None:
        raise InputError(f"--by {by}: sets the order of --worst; add --worst K or remove --by")
    numbers = gallery.numbers[gallery.cells[0].cell_id]
    if images:
        return asked_images(numbers, images)
    return typical_images(numbers) if worst is None else worst_images(numbers, worst, by or "error")


# --- the sheets -----------------------------------------------------------------------------------------------------


def steps_sheet(gallery: Gallery, source: Reopened, cell: Cell, picked: Images, most_steps: int | None = None) -> Sheet:
    """Two rows per image: input, the tokens fixed after each step, result; ground truth, each canvas, error."""
    image_traces = traces(source, cell, picked.ids, most_steps)
    scored, metric = gallery.view.cell(cell.cell_id), gallery.view.metric
    rows = [
        row
        for image_id, trace in zip(picked.ids, image_traces, strict=True)
        for row in _step_rows(_heading(gallery, cell, image_id), trace, _error_tile(gallery, cell, image_id, trace))
    ]
    return Sheet(
        title=f"Decoding steps: {settings(scored, gallery.view.varied)}",
        subtitle=f"{metric.column} {metric.show(scored.score)} · {picked.words.lower()} · cell {cell.cell_id}",
        columns=((), *((f"step {step}",) for step in image_traces[0].steps), ()),
        rows=tuple(rows),
        notes=(*STEPS_NOTES, INFLUENCE_NOTE, ERROR_NOTE),
    )


def _step_rows(heading: str, trace: Trace, error: Tile) -> tuple[Row, Row]:
    fixed_so_far = [
        Tile(fixed_tokens(canvas, still, trace.asked), (f"{left} masked",))
        for canvas, still, left in zip(trace.canvases, trace.still, trace.tokens_left, strict=True)
    ]
    whole = [
        Tile(canvas, (f"confidence {significant(float(confidence), 2)}",))
        for canvas, confidence in zip(trace.canvases, trace.confidence, strict=True)
    ]
    return (
        Row(heading, (Tile(trace.masked, ("masked input",)), *fixed_so_far, Tile(trace.final, ("result",)))),
        Row("", (Tile(trace.truth, ("ground truth",)), *whole, error)),
    )


def compare_sheet(gallery: Gallery, source: Reopened, picked: Images) -> Sheet:
    """Two rows per image: input and the result of every cell; ground truth and the error of every cell."""
    view, cells = gallery.view, gallery.cells
    traces_by_cell = [traces(source, cell, picked.ids, most_steps=1) for cell in cells]
    rows = []
    for place, image_id in enumerate(picked.ids):
        of_image = [(cell, by_cell[place]) for cell, by_cell in zip(cells, traces_by_cell, strict=True)]
        first = of_image[0][1]
        results = [Tile(trace.final, _quality(gallery, cell, image_id)) for cell, trace in of_image]
        errors = [_error_tile(gallery, cell, image_id, trace) for cell, trace in of_image]
        hole = percent(float(gallery.numbers[cells[0].cell_id].hole_ratio[image_id]))
        rows.append(Row(f"image {image_id} · hole {hole}", (Tile(first.masked, ("masked input",)), *results)))
        rows.append(Row("", (Tile(first.truth, ("ground truth",)), *errors)))
    scored = [view.cell(cell.cell_id) for cell in cells]
    return Sheet(
        title=f"Cells side by side: {picked.words[0].lower()}{picked.words[1:]}",
        subtitle=f"{view.metric.column}, lower is better; images picked by cell {cells[0].cell_id}",
        columns=((), *((settings(c, view.varied), f"{view.metric.label} {view.metric.show(c.score)}") for c in scored)),
        rows=tuple(rows),
        notes=(INFLUENCE_NOTE, ERROR_NOTE),
    )


def _heading(gallery: Gallery, cell: Cell, image_id: int) -> str:
    hole = percent(float(gallery.numbers[cell.cell_id].hole_ratio[image_id]))
    return " · ".join([f"image {image_id}", f"hole {hole}", *_quality(gallery, cell, image_id)])


def _quality(gallery: Gallery, cell: Cell, image_id: int) -> tuple[str, str]:
    """PSNR in the hole, and about how much the image adds to the score: influence / N (`bench.metrics.influence`)."""
    numbers = gallery.numbers[cell.cell_id]
    influence = float(numbers.influence[image_id]) / len(numbers)
    return (
        f"PSNR {fixed(float(numbers.psnr_hole_db[image_id]), 2, ' dB')}",
        f"influence {influence:+.{gallery.view.metric.decimals + 1}f}",
    )


def _error_tile(gallery: Gallery, cell: Cell, image_id: int, trace: Trace) -> Tile:
    error = error_map(trace.final, trace.truth, trace.hole)
    mean = float(gallery.numbers[cell.cell_id].mae_hole[image_id])
    return Tile(error_colours(error, trace.hole), (f"error {fixed(mean, 1)} / 255",))


def _alt(sheet: Sheet) -> str:
    """Alternative text of a sheet, for readers who cannot see it."""
    columns = ", ".join(" · ".join(column) for column in sheet.columns if column)
    headings = "; ".join(row.heading for row in sheet.rows if row.heading)
    return f"{sheet.subtitle}. Masked input and ground truth next to {columns}, with error maps. {headings}."


def _write(sheet: Sheet, folder: Path, name: str, scale: int) -> Path:
    path = folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}.png"
    try:
        write_bytes(path, as_png(draw(sheet, scale)))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --output") from None
    return path
