"""The view in words: plain strings that the terminal and Markdown lay out, each escaping them its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.document.text import duration, fixed, percent, significant
from bench.metrics.naming import distance_name
from bench.report.checkpoints import CheckpointScore, OverCheckpoints
from bench.report.extras import Reference
from bench.report.view import FrontPoint, Grid, MetricValue, View
from bench.results.cells import AXES, Cell, describe, plain, settings

ROLES = {
    "best_quality": "best quality",
    "tied": "fastest not told from the best",
    "fast_enough": "fastest within 5 %",
    "trade_off": "best trade-off",
}
SETTINGS_SHOWN = 10  # of the tables over seeds and checkpoints
SEEDS_NOTE = "two errors that never mix: sd of the seeds' scores; SE of their mean over images, copies as one"
CHECKPOINTS_NOTE = "± standard error over images, of a change too; the variance of training is in none of them"
OF_THE_CELL = ("psnr_hole_db", "mae_hole", "token_accuracy")  # shown from the cell itself
DISTANCES = ("frechet_distance", "kernel_distance")
REFERENCES_NOTE = (
    "The tokenizer's floor is what the ground truth's own tokens score, one-shot decoding what the steps have to beat. The"
    " masked input and Telea inpainting keep the known pixels as they are: they compare with cells of compose = paste alone."
)
KEEP_KNOWN_PIXELS = ("masked_input", "telea")
METRIC_WORDS = {
    "frechet_mean_term": "its part from the means",
    "frechet_covariance_term": "its part from the covariances",
    "frechet_rank": "rank under its root",
    "ssim_hole": "SSIM in the hole",
    "psnr_ring_db": "PSNR at the hole's border, dB",
    "ssim_ring": "SSIM at the hole's border",
    "truth_nll_nats": "true tokens' surprise, nats a token",
}
Rows = list[tuple[str, ...]]


def environment_line(view: View) -> str:
    """Device, processor, threads and versions, as far as the run recorded them."""
    env = view.record.environment
    version = view.record.version or env.get("maskbench")
    threads = f"{env['threads']} thread{'s' * (env['threads'] != 1)}" if env.get("threads") else None
    versions = [f"{label} {env[key]}" for key, label in (("torch", "torch"), ("python", "Python")) if env.get(key)]
    maskbench = f"maskbench {version}" if version else None
    parts = [
        env.get("device"),
        env.get("gpu"),
        env.get("cpu"),
        threads,
        *versions,
        env.get("platform"),
        maskbench,
    ]
    return " · ".join(str(part) for part in dict.fromkeys(parts) if part)


def data_line(view: View) -> str:
    """Test set, size, hole, and how clean it is."""
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
    """How much was decoded, and how long it took."""
    counts, seconds = view.record.counts, view.record.seconds
    parts = [f"{len(view.cells)} cells"]
    parts += [f"{counts['trajectories']} trajectories"] if "trajectories" in counts else []
    parts += [_passes(counts)] if "transformer_passes" in counts else []
    if counts.get("canvases"):
        parts.append(f"{counts.get('unique_canvases', counts['canvases']):,} of {counts['canvases']:,} canvases unique")
    parts += [duration(seconds["total"])] if "total" in seconds else []
    return " · ".join(parts)


def _passes(counts: Mapping[str, int]) -> str:
    """Images through the transformer; how many of them now, where an earlier run had left some in the store."""
    needed = counts["transformer_passes"]
    now = counts.get("transformer_passes_run", needed)
    return f"{needed:,} transformer passes" + (f" ({needed - now:,} found in the store)" if now < needed else "")


def best_settings(cell: Cell) -> Rows:
    """Every decode setting of a cell."""
    return [
        ("gamma", cell.gamma),
        ("total_iter T", str(cell.total_iter)),
        ("sweet_spot s", str(cell.sweet_spot)),
        *((axis, plain(cell.settings[axis])) for axis in AXES),
        ("cell_id", cell.cell_id),
    ]


def best_numbers(view: View, cell: Cell) -> Rows:
    """Every number of a cell, those of other metrics included."""
    rows: Rows = [
        (view.metric.column, view.metric.show(cell.score, cell.score_se)),
        ("images", f"{cell.n_images}, paired with their originals"),
        ("images/s", significant(cell.images_per_s)),
        ("ms/image", significant(cell.ms_per_image)),
        ("throughput_source", cell.throughput_source or "–"),
        ("transformer passes", str(cell.transformer_passes if cell.transformer_passes is not None else "–")),
        ("PSNR in the hole", fixed(cell.psnr_hole_db, 2, " dB")),
        ("error in the hole", fixed(cell.mae_hole, 2, " / 255")),
        ("token accuracy", percent(cell.token_accuracy)),
    ]
    return rows + [
        (_metric_name(view, row), _metric_value(row))
        for row in view.metrics
        if row.cell_id == cell.cell_id and not _shown_otherwise(view, row)
    ]


def _shown_otherwise(view: View, row: MetricValue) -> bool:
    """Whether a metric stands in the cell's own columns already, or is a detail of the clean images."""
    if row.subset != "all":
        return row.metric not in DISTANCES
    own_score = row.features == view.metric.features and row.metric == "frechet_distance"
    return own_score or (not row.features and row.metric in OF_THE_CELL)


def _metric_name(view: View, row: MetricValue) -> str:
    """A metric in words; a Fréchet distance goes by FID or FD, a kernel distance by KID or KD."""
    known = next((features for features in view.record.features if features.name == row.features), None)
    name = METRIC_WORDS.get(row.metric, row.metric)
    if row.metric in DISTANCES and known:
        name = distance_name(known.label, known.name, known.verified, row.metric)
    elif row.features and row.features != view.metric.features:
        name = f"{name} ({row.features})"
    return name if row.subset == "all" else f"{name}, {row.n} {row.subset} images"


def _metric_value(row: MetricValue) -> str:
    value = significant(row.value, 4)
    return value if row.se is None else f"{value} ± {significant(row.se, 2)}"


def grid_title(view: View, grid: Grid) -> str:
    """Say what sets a gamma × sweet-spot table apart: T, what else varies, and whether its scores are unverified."""
    apart = [describe(grid.settings)] if grid.settings else []
    return " · ".join([f"T {grid.total_iter}", *apart, *([] if view.metric.verified else ["unverified"])])


def mark(view: View, grid: Grid, score: float | None) -> str:
    """Role of a score in its table: best of the run, best, worst, or nothing."""
    if score is None:
        return ""
    best = view.best
    if best is not None and score == best.score:
        return "best of the run"
    return "best" if score == grid.best else "worst" if score == grid.worst else ""


def front_header(view: View) -> tuple[str, ...]:
    """Name the columns of the Pareto front."""
    return ("images/s", view.metric.column, "above the best", "settings", "")


def front_rows(view: View) -> Rows:
    """List the Pareto front, fastest first; the last column says what a point is good for."""
    return [
        (
            significant(point.images_per_s),
            view.metric.show(point.score, view.cell(point.cell_id).score_se),
            above_best(view, point.cell_id),
            settings(view.cell(point.cell_id), view.varied),
            _roles(point),
        )
        for point in view.front
    ]


def above_best(view: View, cell_id: str) -> str:
    """How far a cell's score lies above that of the best, with the standard error of the difference."""
    known = view.beside_best(cell_id)
    is_best = view.best is not None and view.best.cell_id == cell_id
    return "–" if known is None or is_best else view.metric.show(known.change, known.change_se)


def tied_line(view: View) -> str:
    """How many cells the test set does not tell from the best; empty where errors are unknown."""
    if any(one.told_apart is None for one in view.against_best) or len(view.against_best) < 2:
        return ""
    tied = sum(not one.told_apart for one in view.against_best) - 1  # the best itself
    others = len(view.against_best) - 1
    said = f"{tied} of {others} other cells lie within two standard errors of the best (paired, over images)"
    return f"{said}: the test set {'does not tell them' if tied else 'tells all of them'} from it."


def _against_best(view: View, score: float | None) -> str:
    """How much worse than the best cell's a score is."""
    best = view.best
    if score is None or best is None or not best.score or best.score < 0:
        return "–"
    return percent(score / best.score - 1, sign=True)


def _roles(point: FrontPoint) -> str:
    words = [words for role, words in ROLES.items() if role in point.roles]
    return ", ".join(words + ([f"and {len(point.equal)} equal cells"] if point.equal else []))


def seed_header(view: View) -> tuple[str, ...]:
    """Name the columns of the table of settings with several seeds."""
    return ("settings", "seeds", f"mean {view.metric.column}", "sd over seeds", "SE over images")


def seed_rows(view: View) -> Rows:
    """The settings with the best mean over seeds, with the spread over seeds and, apart, the error over images."""
    varied = {axis: values for axis, values in view.varied.items() if axis != "seed"}
    return [
        (
            settings(view.cell(spread.cell_ids[0]), varied),
            str(len(spread.seeds)),
            view.metric.show(spread.mean),
            view.metric.show(spread.sd_over_seeds),
            view.metric.show(spread.se_over_images),
        )
        for spread in sorted(view.seeds, key=lambda spread: spread.mean)[:SETTINGS_SHOWN]
    ]


def checkpoint_header(view: View) -> tuple[str, ...]:
    """Name the columns of the table of settings with several checkpoints."""
    return ("settings", "checkpoint", f"{view.metric.column} ± SE", "since the one above", "")


def best_over_checkpoints(view: View, count: int) -> list[tuple[str, OverCheckpoints]]:
    """The settings with the best score of all, in words, each with every checkpoint in the order of the run's list."""
    varied = {axis: values for axis, values in view.varied.items() if axis not in ("checkpoint", "seed")}
    first = sorted(view.by_checkpoint, key=lambda one: one.best.score)[:count]
    return [(settings(view.cell(one.scores[0].cell_ids[0]), varied), one) for one in first]


def checkpoint_rows(view: View) -> Rows:
    """The settings with the best score of all, a row a checkpoint."""
    return [
        (
            words if i == 0 else "",
            point.checkpoint,
            view.metric.show(point.score, point.se),
            checkpoint_change(view, point),
            "best" if point is one.best else "",
        )
        for words, one in best_over_checkpoints(view, SETTINGS_SHOWN)
        for i, point in enumerate(one.scores)
    ]


def shown_of(count: int) -> str:
    """Say how many settings a table leaves out, if any."""
    return f"the best {SETTINGS_SHOWN} of {count} settings; --format json has all" if count > SETTINGS_SHOWN else ""


def checkpoint_change(view: View, point: CheckpointScore) -> str:
    """How far a score is from that of the checkpoint before."""
    if point.change is None:
        return "–"
    return ("+" if point.change >= 0 else "") + view.metric.show(point.change, point.change_se)


COST_HEADER = ("stage", "ms/image", "quartiles", "repeats", "checkpoint")
CHECK_HEADER = ("measured whole", "derived images/s", "measured", "error")
HOLE_HEADER = ("hole", "images", "PSNR", "error", "SSIM", "tokens right")
INFLUENCE_HEADER = ("image", "influence", "cell", "")


def cost_rows(view: View) -> Rows:
    """List unit costs an image: encode, one step, decode."""
    costs = view.record.throughput.unit_costs if view.record.throughput else ()
    return [
        (
            cost.stage,
            significant(cost.median_ms_per_image),
            f"{significant(cost.p25)}–{significant(cost.p75)}",
            str(cost.repeats),
            cost.checkpoint,
        )
        for cost in costs
    ]


def speed_note(view: View) -> str:
    """What the unit costs are for, the tile they were measured on, and the peak memory."""
    notes, throughput = ["a cell costs encode + s steps + decode"], view.record.throughput
    if throughput and throughput.tile:
        notes.append(f"tiles of {throughput.tile}")
    if throughput and throughput.peak_memory_mb:
        notes.append(f"peak memory {throughput.peak_memory_mb:.0f} MB")
    return " · ".join(notes)


def check_rows(view: View) -> Rows:
    """Cells measured whole, beside the speed derived for them."""
    checks = view.record.throughput.checks if view.record.throughput else ()
    known = {cell.cell_id: settings(cell, view.varied) for cell in view.cells}
    return [
        (
            known.get(check.cell_id, check.cell_id),
            significant(check.derived_images_per_s),
            significant(check.measured_images_per_s),
            percent(check.relative_error, sign=True),
        )
        for check in checks
    ]


def hole_rows(view: View, cell: Cell) -> Rows:
    """Quality of a cell by quarters of the hole size; empty without ground truth."""
    return [
        (
            f"{percent(hole.hole_ratio_from)} to {percent(hole.hole_ratio_to)}",
            str(hole.n),
            fixed(hole.psnr_hole_db, 2, " dB"),
            fixed(hole.mae_hole, 2),
            fixed(hole.ssim_hole, 3),
            percent(hole.token_accuracy),
        )
        for hole in view.hole_bins
        if hole.cell_id == cell.cell_id and hole.psnr_hole_db is not None
    ]


def reference_header(view: View) -> tuple[str, ...]:
    """Name the columns of the reference rows."""
    return ("reference", view.metric.column, "vs best", "checkpoint", "compose")


def reference_rows(view: View) -> Rows:
    """What scores are read against: the tokenizer's floor, one-shot decoding and the like."""
    return [
        (
            reference.words,
            view.metric.show(reference.score, reference.score_se),
            _against_best(view, reference.score) if _comparable(view, reference) else "–",
            reference.checkpoint or "–",
            "known pixels kept" if reference.name in KEEP_KNOWN_PIXELS else reference.compose or "–",
        )
        for reference in view.references
    ]


def _comparable(view: View, reference: Reference) -> bool:
    """Whether a reference row may be set against the best cell."""
    return reference.name not in KEEP_KNOWN_PIXELS or (view.best is not None and view.best.compose == "paste")


def influence_rows(view: View) -> Rows:
    """The images whose absence would move a cell's score the most."""
    return [
        (
            str(row.image_id),
            f"{row.influence:+.{view.metric.decimals}f}",
            settings(view.cell(row.cell_id), view.varied),
            "" if row.copy_of in (None, row.image_id) else f"same picture as {row.copy_of}",
        )
        for row in view.influential
    ]


def progress(view: View, cell: Cell) -> tuple[Sequence[float], Sequence[float]]:
    """Mean tokens still masked and mean confidence after each step of a cell, up to its sweet spot."""
    for curve in view.curves:
        if curve.trajectory_id == cell.trajectory_id:
            upto = [i for i, step in enumerate(curve.steps) if step <= cell.sweet_spot]
            return [curve.masked_left[i] or 0.0 for i in upto], [curve.mean_confidence[i] or 0.0 for i in upto]
    return [], []
