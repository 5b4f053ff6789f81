"""Summary of a run: machine, data and work, the recommended cells, and all facts about the best cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Bullets, Card, Facts, Item, Pairs, Paragraph, Tone
from bench.document.scatter import sparkline
from bench.document.text import duration, percent, significant
from bench.report.headlines import ROLES
from bench.report.metric_names import OF_THE_CELL, is_in_cell, metric_name, metric_text
from bench.report.sections.confirmed import confirmed_line
from bench.results.cells import AXES, Cell, plain, show_measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.report.view import View


def run_facts(view: View) -> Facts:
    """Machine, data and work."""
    return Facts((("machine", machine_line(view)), ("data", data_line(view)), ("work", work_line(view))))


def machine_line(view: View) -> str:
    """Device, processor, threads and versions, if the run recorded them, and whether it recorded hashes of its files."""
    env = view.record.environment
    version = view.record.version
    threads = f"{env['threads']} thread{'s' * (env['threads'] != 1)}" if env.get("threads") else None
    versions = [f"{label} {env[key]}" for key, label in (("torch", "torch"), ("python", "Python")) if env.get(key)]
    maskbench = f"maskbench {version}" if version else None
    parts = [env.get("device"), env.get("gpu"), env.get("cpu"), threads, *versions, env.get("platform"), maskbench]
    parts.append(None if view.record.files else "files unverified: no hashes recorded")
    return " · ".join(str(part) for part in dict.fromkeys(parts) if part)


def data_line(view: View) -> str:
    """Test set: number and size of images, hole, duplicates and overlap with training."""
    data = view.record.data
    size = data.image_size if isinstance(data.image_size, tuple) else (data.image_size, data.image_size)
    overlap = (
        "overlap with training not checked" if data.train_overlap is None else f"{data.train_overlap} also in training"
    )
    parts = [
        f"{data.n_images} images of {data.name}",
        f"{size[0]} × {size[1]}" if size[0] else None,
        f"mean hole {percent(data.hole_ratio_mean)}" if data.hole_ratio_mean is not None else None,
        f"{data.duplicates_in_test} duplicates",
        overlap,
    ]
    return " · ".join(part for part in parts if part)


def work_line(view: View) -> str:
    """The amount of decoding work, and the time it took."""
    counts, seconds = view.record.counts, view.record.seconds
    parts = [f"{len(view.cells)} cells"]
    if "trajectories" in counts:
        parts.append(f"{counts['trajectories']} trajectories")
    if "transformer_passes" in counts:
        parts.append(_passes(counts))
    if counts.get("canvases"):
        parts.append(f"{counts.get('unique_canvases', counts['canvases']):,} of {counts['canvases']:,} canvases unique")
    if "total" in seconds:
        parts.append(duration(seconds["total"]))
    return " · ".join(parts)


def _passes(counts: Mapping[str, int]) -> str:
    """Transformer passes that the cells need, and the number found in the store."""
    needed = counts["transformer_passes"]
    now = counts.get("transformer_passes_run", needed)
    return f"{needed:,} transformer passes" + (f" ({needed - now:,} found in the store)" if now < needed else "")


def headlines(view: View) -> Bullets:
    """The recommended cells, the number of statistically tied ones, and the number of caveats."""
    items = [
        Item(headline.sentence, headline.title, ROLES[headline.kind].mark, ROLES[headline.kind].tone)
        for headline in view.headlines
    ]
    items += [Item(line) for line in (tied_line(view), optimism_line(view), confirmed_line(view)) if line]
    if count := len(view.caveats):
        noun = "caveat" if count == 1 else "caveats"
        items.append(Item(f"{count} {noun} at the end: read before quoting a number.", mark="⚠", tone=Tone.WARNING))
    return Bullets(tuple(items))


def answer(view: View) -> Paragraph:
    """The sentence that says which cell to use."""
    return Paragraph(view.answer.sentence if view.answer else "", Tone.STRONG)


def tied_line(view: View) -> str:
    """A sentence on the number of cells within noise of the best; empty if errors are unknown."""
    selection = view.selection
    if selection is None or selection.cells < 2:
        return ""
    return (
        f"{selection.within_noise - 1} of {selection.cells - 1} other cells are within noise of the best: the "
        f"{percent(selection.confidence, 0)} confidence set of the best cell (multiple comparison, paired over images)."
    )


def optimism_line(view: View) -> str:
    """A sentence on the luck in the best score, which was selected; empty if it is none at the decimals of this run."""
    selection = view.selection
    if selection is None or selection.optimism_high < 10**-view.metric.decimals / 2:
        return ""
    low, high = view.metric.show(selection.optimism_low), view.metric.show(selection.optimism_high)
    by = high if low == high else f"{low} to {high}"
    return f"The best score is optimistic by about {by}, because it is the lowest of {selection.cells}."


def best_card(view: View, best: Cell) -> Card:
    """Every number and setting of the best cell, and the course of its decoding."""
    return Card("Best cell", "★", (best_numbers(view, best), best_settings(best)), _progress(view, best))


def best_settings(cell: Cell) -> Pairs:
    """Every decoding setting of a cell."""
    return (
        ("gamma", cell.gamma),
        ("total_iter T", str(cell.total_iter)),
        ("sweet_spot s", str(cell.sweet_spot)),
        *((axis, plain(cell.settings[axis])) for axis in AXES),
        ("cell_id", cell.cell_id),
    )


def best_numbers(view: View, cell: Cell) -> Pairs:
    """Every number of a cell, including other metrics."""
    return (
        (view.metric.column, view.metric.show(cell.score, cell.score_se)),
        ("images", f"{cell.n_images}, paired with their originals"),
        ("images/s", significant(cell.images_per_s)),
        ("ms per image", significant(cell.ms_per_image)),
        ("throughput_source", cell.throughput_source or "–"),
        ("NFE (transformer passes)", str(cell.transformer_passes if cell.transformer_passes is not None else "–")),
        *(show_measure(cell, name) for name in OF_THE_CELL),
        *(
            (metric_name(view, row), metric_text(row))
            for row in view.metrics
            if row.cell_id == cell.cell_id and not is_in_cell(view, row)
        ),
    )


def _progress(view: View, cell: Cell) -> Pairs:
    """Mean tokens still masked and mean confidence after each step of a cell, up to its sweet spot."""
    curve = next((curve for curve in view.curves if curve.trajectory_id == cell.trajectory_id), None)
    if curve is None:
        return ()
    executed = [i for i, step in enumerate(curve.steps) if step <= cell.sweet_spot]
    masked = [curve.masked_left[i] or 0.0 for i in executed]
    confidence = [curve.mean_confidence[i] or 0.0 for i in executed]
    return (
        ("tokens masked after each step", f"{sparkline(masked)} {_ends([significant(value) for value in masked])}"),
        ("confidence at each step", f"{sparkline(confidence, 1.0)} {_ends([percent(c, 0) for c in confidence])}"),
    )


def _ends(texts: Sequence[str]) -> str:
    return f"{texts[0]} → {texts[-1]}"
