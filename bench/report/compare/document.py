"""A comparison as a document: the runs, their scores side by side, then each run's differences from the first."""

from __future__ import annotations

from bench.document.model import Bullets, Document, Entry, Item, Row, Section, Span, Table, Tone
from bench.document.text import percent, significant
from bench.report.compare.view import (
    BETTER,
    EQUAL,
    UNCLEAR,
    WORSE,
    ComparedRun,
    ComparisonView,
    Difference,
    Result,
    SettingRow,
)

MARKS = {BETTER: "✓", WORSE: "✗", UNCLEAR: "?", EQUAL: "="}
MEANINGS = {BETTER: "better", WORSE: "worse", UNCLEAR: "no clear difference", EQUAL: "equal"}
TONES = {BETTER: Tone.GOOD, WORSE: Tone.BAD, UNCLEAR: Tone.PLAIN, EQUAL: Tone.PLAIN}
RUN_HEADER = ("run", "folder", "name", "checkpoints", "machine")
DIFFERENCE_HEADER = ("settings", "Δ ± SE", "95 % interval", "relative", "speed", "")
CAVEAT = (
    "Each interval covers 95 % over images, without correction for their number: of 20 cells, expect one miss. Variance "
    "of training is not included. `maskbench gate` decides over all cells at once."
)


def comparison_document(view: ComparisonView) -> Document:
    """The whole comparison."""
    runs = tuple(_run_row(place, run) for place, run in enumerate(view.runs, 1))
    return Document(
        title=f"maskbench: {headline(view)}",
        parts=(
            Table(RUN_HEADER, runs),
            Section("Scores ± SE", (_scores(view),)),
            *(_differences(view, place) for place in range(2, len(view.runs) + 1)),
            Bullets(tuple(Item(note, mark="⚠", tone=Tone.WARNING) for note in (*view.notes, CAVEAT))),
        ),
    )


def headline(view: ComparisonView) -> str:
    """The size of the comparison: 3 runs, 12 settings · FID, lower is better · 747 images."""
    copies = f", {view.n_distinct} of them distinct" if view.n_distinct < view.n_images else ""
    return (
        f"{len(view.runs)} runs, {len(view.rows)} settings · {view.metric.column}, lower is better · "
        f"{view.n_images} images{copies}"
    )


def _run_row(place: int, run: ComparedRun) -> Row:
    checkpoints = ", ".join(f"{name} {fingerprint[:8]}" for name, fingerprint in run.checkpoints.items())
    return str(place), run.path, run.name, checkpoints, run.machine


def _scores(view: ComparisonView) -> Table:
    """Every run's score with its error; the best of a row is marked, unless several are equal."""
    header = ("settings", *(f"run {place}" for place in range(1, len(view.runs) + 1)))
    rows = tuple((row.name, *(_score(view, row, result) for result in row.results)) for row in view.rows)
    return Table(header, rows, tuple(range(1, len(header))))


def _score(view: ComparisonView, row: SettingRow, result: Result | None) -> Entry:
    if result is None:
        return "–"
    text = view.metric.show(result.score, result.se)
    ahead = all(other is None or other is result or result.score < other.score for other in row.results)
    return Span(text, "★", Tone.BEST) if ahead and len(row.results) > 1 else text


def _differences(view: ComparisonView, place: int) -> Section:
    """Differences of a run from the first, for the settings that they share."""
    pairs = [(row, difference) for row in view.rows if (difference := _against_first(row, place))]
    verdicts = [difference.verdict for _, difference in pairs]
    counts = ", ".join(f"{verdicts.count(verdict)} {MEANINGS[verdict]}" for verdict in MEANINGS if verdict in verdicts)
    title = f"run {place} minus run 1: {counts or 'no cell in common'}"
    rows = tuple(_difference_row(view, row, difference) for row, difference in pairs)
    return Section(title, (Table(DIFFERENCE_HEADER, rows, (1, 2, 3, 4)),) if rows else ())


def _difference_row(view: ComparisonView, row: SettingRow, difference: Difference) -> Row:
    first = row.results[0]
    is_relative = first is not None and first.score > 0
    verdict = f"{MARKS[difference.verdict]} {MEANINGS[difference.verdict]}"
    return (
        row.name,
        f"{_signed(view, difference.value)} ± {view.metric.show(difference.se)}",
        f"{_signed(view, difference.low)} to {_signed(view, difference.high)}",
        percent(difference.value / first.score, sign=True) if first and is_relative else "–",
        f"{significant(difference.speed_ratio)}×",
        Span(verdict, tone=TONES[difference.verdict]),
    )


def _signed(view: ComparisonView, value: float) -> str:
    """A difference of scores, always with a sign."""
    return f"{value:+.{view.metric.decimals}f}"


def _against_first(row: SettingRow, place: int) -> Difference | None:
    result = row.results[place - 1]
    return result.against_first if result is not None else None
