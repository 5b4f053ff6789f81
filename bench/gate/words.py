"""A gate's outcome in words: plain strings that the formats lay out, each escaping them its own way."""

from __future__ import annotations

from bench.document.text import duration, fixed, percent, score_decimals, significant
from bench.gate.outcome import FAIL, INCONCLUSIVE, NOTED, PASS, SUSPICIOUS, VERDICTS, CellOutcome, GateOutcome

MARKS = {FAIL: "✗", INCONCLUSIVE: "?", SUSPICIOUS: "⚠", NOTED: "✓", PASS: "✓"}
HEADER = ("", "cell", "baseline", "candidate", "Δ ± SE", "z", "p", "detects", "speed")
CAVEAT = (
    "The errors are over images alone: another training of the same recipe may move the score by more. "
    "The gate compares these weights, not two recipes."
)


def headline(outcome: GateOutcome) -> str:
    """The verdict in one line: Gate failed: 1 fail, 3 pass (4 cells)."""
    counts = ", ".join(f"{outcome.count(verdict)} {verdict}" for verdict in VERDICTS if outcome.count(verdict))
    verdict = "failed" if outcome.failed else "passed"
    return f"Gate {verdict}: {counts} ({_cells(len(outcome.cells))})"


def facts(outcome: GateOutcome) -> list[tuple[str, str]]:
    """What was compared, by which rules, and what could have been found."""
    rules = outcome.rules
    copies = outcome.n_images - outcome.n_distinct
    images = f"{outcome.n_images} images" + (f", {outcome.n_distinct} of them different" if copies else "")
    seeds = sorted({len(cell.seeds) for cell in outcome.cells})
    limits = [f"max_score {rules.max_score:g}"] if rules.max_score is not None else []
    limits += [f"min_throughput_ratio {rules.min_throughput_ratio:g}"] if rules.min_throughput_ratio is not None else []
    found = [
        ("candidate", outcome.candidate),
        ("baseline", f"{outcome.baseline} ({'the same' if outcome.same_weights else 'other'} weights)"),
        ("score", f"{outcome.metric}, lower is better · {images} · seeds a cell: {', '.join(map(str, seeds))}"),
        (
            "fails if",
            f"worse at p ≤ {rules.alpha:g} after Holm over {_cells(len(outcome.cells))}, and by more than "
            f"{percent(rules.tolerance)} · inconclusive cells {rules.inconclusive}"
            + "".join(f" · {limit}" for limit in limits),
        ),
        ("rules from", outcome.rules_from),
        ("could find", detectable(outcome)),
    ]
    if outcome.extra_cells:
        found.append(("not gated", f"{_cells(outcome.extra_cells)} of the candidate"))
    return [*found, ("took", duration(outcome.seconds))]


def detectable(outcome: GateOutcome) -> str:
    """The smallest rise this number of images could have shown, over the cells."""
    uncertain = [cell for cell in outcome.cells if cell.se > 0]
    if not uncertain:
        return "nothing to say: both sides have the same features"
    least, most = (pick(uncertain, key=lambda cell: cell.detectable) for pick in (min, max))
    sizes = " to ".join(dict.fromkeys(_share(cell.detectable, cell) for cell in (least, most)))
    spread = ", by cell," if least != most else ""
    return f"a true rise of {sizes}{spread} about three times in four; a smaller one more seldom"


def row(cell: CellOutcome) -> tuple[str, ...]:
    """A cell under HEADER."""
    decimals = score_decimals(cell.baseline_score)
    return (
        MARKS[cell.verdict],
        cell.name,
        fixed(cell.baseline_score, decimals),
        fixed(cell.candidate_score, decimals),
        f"{cell.difference:+.{decimals}f} ± {fixed(cell.se, decimals)}",
        f"{cell.z:+.1f}",
        significant(cell.p_holm, 2),
        fixed(cell.detectable, decimals),
        "–" if cell.throughput_ratio is None else f"{cell.throughput_ratio:.2f}×",
    )


def explanation(cell: CellOutcome) -> str:
    """A cell's verdict and reasons: cosine · T 8 · s 4: fail, worse by …."""
    return f"{cell.name}: {summary(cell)}"


def summary(cell: CellOutcome) -> str:
    """Verdict and reasons without the cell's name."""
    return ": ".join([cell.verdict, *filter(None, ["; ".join(cell.reasons)])])


def remarkable(outcome: GateOutcome) -> list[CellOutcome]:
    """Cells with something to say, the worst verdict first."""
    return sorted((cell for cell in outcome.cells if cell.reasons), key=lambda cell: VERDICTS.index(cell.verdict))


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"


def _share(value: float, cell: CellOutcome) -> str:
    size = significant(value)
    return f"{size} ({percent(value / cell.baseline_score)})" if cell.baseline_score > 0 else size
