"""A comparison in words: plain strings that the formats lay out, each escaping them its own way."""

from __future__ import annotations

from bench.document.text import percent, significant
from bench.report.compare.view import BETTER, EQUAL, UNCLEAR, WORSE, ComparedRun, ComparisonView, Difference

MARKS = {BETTER: "✓", WORSE: "✗", UNCLEAR: "?", EQUAL: "="}
MEANING = {BETTER: "better", WORSE: "worse", UNCLEAR: "no clear difference", EQUAL: "equal"}
DIFFERENCE_HEADER = ("settings", "Δ ± SE", "95 % interval", "relative", "speed", "")
CAVEAT = (
    "The intervals are over images, one by one at 95 %: with 20 cells one of them is expected to miss. The variance of "
    "training is not in them. `maskbench gate` decides over all cells at once."
)
Rows = list[tuple[str, ...]]


def headline(view: ComparisonView) -> str:
    """What is compared: 3 runs, 12 settings · FID, lower is better · 747 images."""
    copies = f", {view.n_distinct} of them different" if view.n_distinct < view.n_images else ""
    return (
        f"{len(view.runs)} runs, {len(view.rows)} settings · {view.metric.column}, lower is better · "
        f"{view.n_images} images{copies}"
    )


def run_rows(view: ComparisonView) -> Rows:
    """The runs by their place."""
    return [(str(place), run.path, run.name, _checkpoints(run), run.machine) for place, run in enumerate(view.runs, 1)]


RUN_HEADER = ("run", "folder", "name", "checkpoints", "machine")


def score_header(view: ComparisonView) -> tuple[str, ...]:
    """A column a run."""
    return ("settings", *(f"run {place}" for place in range(1, len(view.runs) + 1)))


def score_rows(view: ComparisonView) -> Rows:
    """Every run's score with its error; the best of a row is marked."""
    show = view.metric.show
    rows: Rows = []
    for row in view.rows:
        texts = []
        for result in row.results:
            mark = "★ " if result is not None and result is row.best and len(row.results) > 1 else ""
            texts.append("–" if result is None else f"{mark}{show(result.score, result.se)}")
        rows.append((row.name, *texts))
    return rows


def difference_title(view: ComparisonView, place: int) -> str:
    """Whose difference, and how it went: run 2 less run 1: 3 better, 1 unclear."""
    verdicts = [found.verdict for row in view.rows if (found := _against_first(view, row.results, place))]
    counts = ", ".join(f"{verdicts.count(v)} {MEANING[v]}" for v in MEANING if v in verdicts)
    return f"run {place} less run 1: {counts or 'no common cell'}"


def difference_rows(view: ComparisonView, place: int) -> Rows:
    """The differences of a run from the first, for the settings both have."""
    rows: Rows = []
    for row in view.rows:
        found, first = _against_first(view, row.results, place), row.results[0]
        if found is not None and first is not None:
            relative = percent(found.value / first.score, sign=True) if first.score > 0 else "–"
            rows.append(
                (
                    row.name,
                    f"{signed(view, found.value)} ± {view.metric.show(found.se)}",
                    f"{signed(view, found.low)} to {signed(view, found.high)}",
                    relative,
                    f"{significant(found.speed_ratio)}×",
                    f"{MARKS[found.verdict]} {MEANING[found.verdict]}",
                )
            )
    return rows


def signed(view: ComparisonView, value: float) -> str:
    """A difference of scores, always with its sign."""
    return f"{value:+.{view.metric.decimals}f}"


def _against_first(view: ComparisonView, results: tuple, place: int) -> Difference | None:
    result = results[place - 1]
    return result.against_first if result is not None else None


def _checkpoints(run: ComparedRun) -> str:
    return ", ".join(f"{name} {fingerprint[:8]}" for name, fingerprint in run.checkpoints.items())
