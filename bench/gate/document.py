"""A gate as a document: the verdict first, then the table, then the reasons and the rules."""

from __future__ import annotations

from bench.document.model import Bullets, Callout, Document, Facts, Item, Paragraph, Row, Section, Span, Table, Tone
from bench.document.text import duration, fixed, percent, score_decimals, significant
from bench.gate.outcome import (
    BETTER,
    CRITICAL,
    FAIL,
    INCONCLUSIVE,
    NOTED,
    PASS,
    SUSPICIOUS,
    VERDICTS,
    WARN,
    CellOutcome,
    GateOutcome,
    Refusal,
)

MARKS = {FAIL: "✗", WARN: "!", INCONCLUSIVE: "?", SUSPICIOUS: "⚠", NOTED: "✓", BETTER: "✓", PASS: "✓"}
TONES = {
    FAIL: Tone.BAD, WARN: Tone.WARNING, INCONCLUSIVE: Tone.WARNING, SUSPICIOUS: Tone.NOTABLE,
    NOTED: Tone.GOOD, BETTER: Tone.GOOD, PASS: Tone.GOOD,
}  # fmt: skip
HEADER = ("", "cell", "baseline", "candidate", "Δ ± SE", "z", "p", "detects", "speed")
NUMBERS = tuple(range(2, len(HEADER)))
SHOWN_CELLS = 5  # cells whose changed images are listed
CAVEAT = (
    "Errors are over images only: retraining with the same recipe may change the score by more. The gate compares two sets "
    "of weights, not two recipes, and the noise of training is not covered."
)


def gate_document(outcome: GateOutcome) -> Document:
    """The whole gate."""
    remarks = tuple(
        Item(summary(cell), cell.name, MARKS[cell.verdict], TONES[cell.verdict]) for cell in remarkable(outcome)
    )
    parts: list[Section | Table | Bullets | Facts | Callout] = [Table(HEADER, tuple(map(_row, outcome.cells)), NUMBERS)]
    if remarks:
        parts.append(Bullets(remarks))
    parts += [Facts(tuple(facts(outcome))), *_changed(outcome), Callout(CAVEAT)]
    return Document(
        headline(outcome),
        tuple(parts),
        Tone.BAD if outcome.failed else Tone.WARNING if outcome.undecided else Tone.GOOD,
    )


def refusal_document(refusal: Refusal) -> Document:
    """The reason for a refusal, as a document."""
    return Document("Gate refused", (Paragraph(refusal.reason),), Tone.WARNING)


def headline(outcome: GateOutcome) -> str:
    """The verdict in one line: Gate failed: 1 fail, 3 pass (4 cells)."""
    counts = ", ".join(f"{outcome.count(verdict)} {verdict}" for verdict in VERDICTS if outcome.count(verdict))
    return f"Gate {outcome.verdict}: {counts} ({_cells(len(outcome.cells))})"


def row(cell: CellOutcome) -> tuple[str, ...]:
    """The row of a cell, with the columns of HEADER."""
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


def summary(cell: CellOutcome) -> str:
    """Verdict and reasons: fail: worse by …."""
    tier = "" if cell.tier == CRITICAL else f" ({cell.tier})"
    return ": ".join([cell.verdict + tier, *filter(None, ["; ".join(cell.reasons)])])


def remarkable(outcome: GateOutcome) -> list[CellOutcome]:
    """Cells with a reason to report, the worst verdict first."""
    return sorted((cell for cell in outcome.cells if cell.reasons), key=lambda cell: VERDICTS.index(cell.verdict))


def facts(outcome: GateOutcome) -> list[tuple[str, str]]:
    """The two sides, the rules, and the smallest detectable rise."""
    copies = f", {outcome.n_distinct} of them distinct" if outcome.n_distinct < outcome.n_images else ""
    seeds = ", ".join(map(str, sorted({len(cell.seeds) for cell in outcome.cells})))
    return [
        ("candidate", outcome.candidate),
        ("baseline", f"{outcome.baseline} ({'the same' if outcome.same_weights else 'other'} weights)"),
        ("score", f"{outcome.metric}, lower is better · {outcome.n_images} images{copies} · seeds per cell: {seeds}"),
        ("fails if", _rules(outcome)),
        ("passes if", _passes(outcome)),
        *_floors(outcome),
        ("rules from", outcome.rules_from),
        ("detectable", detectable(outcome)),
        *(
            [("precision", f"{' → '.join(outcome.precisions)}: rounding is part of the rise")]
            if outcome.precisions
            else []
        ),
        *([("not gated", f"{_cells(outcome.extra_cells)} of the candidate")] if outcome.extra_cells else []),
        *([("unverified", f"{', '.join(outcome.unverified)}: without hashes")] if outcome.unverified else []),
        ("took", duration(outcome.seconds)),
    ]


def _rules(outcome: GateOutcome) -> str:
    rules = outcome.rules
    limits = {"max_score": rules.max_score, "min_throughput_ratio": rules.min_throughput_ratio}
    return " · ".join(
        [
            f"worse at p ≤ {rules.alpha:g} after Holm over {_families(outcome)}, and by more than {_tolerances(outcome)}",
            {
                "pass": "inconclusive cells pass",
                "fail": "inconclusive cells fail",
                "exit": "inconclusive cells: exit code 5",
            }[rules.inconclusive],
            *(f"{name} {limit:g}" for name, limit in limits.items() if limit is not None),
        ]
    )


def _changed(outcome: GateOutcome) -> list[Section]:
    """The images that changed most in the cells that are not a plain pass: where to look first."""
    cells = [cell for cell in remarkable(outcome) if cell.changed][:SHOWN_CELLS]
    if not cells:
        return []
    rows = tuple(
        (cell.name, ", ".join(f"{image.image_id} ({image.contribution:+.2g})" for image in cell.changed))
        for cell in cells
    )
    text = (
        "Image ids, with their contributions to Δ (positive: worse). `maskbench show RUN --cell CELL --image ID` draws one, "
        "for the candidate's run and for the baseline's."
    )
    return [Section("Images that changed most", (Paragraph(text), Table(("cell", "images"), rows)))]


def _passes(outcome: GateOutcome) -> str:
    """The condition of a pass, and the smallest tolerance that this test set can show to be kept."""
    if outcome.rules.tolerance_test == "estimate":
        return "the estimated rise is within tolerance (tolerance_test = estimate)"
    text = f"a rise beyond tolerance is excluded at {percent(1 - outcome.rules.alpha)} confidence"
    needed = max((cell.needed_tolerance for cell in outcome.cells), default=0.0)
    return f"{text}; an equal candidate passes four times in five with a tolerance of {significant(needed)}"


def _floors(outcome: GateOutcome) -> list[tuple[str, str]]:
    """The rFID floors of both sides, which differ if the tokenizers do."""
    floors = {(cell.floor, cell.candidate_floor) for cell in outcome.cells}
    texts = [
        significant(ours, 4) if theirs == ours else f"{significant(ours, 4)}, candidate {significant(theirs, 4)}"
        for ours, theirs in sorted((ours, theirs) for ours, theirs in floors if ours is not None and theirs is not None)
    ]
    return [("rFID floor", "; ".join(texts))] if texts else []


def _tolerances(outcome: GateOutcome) -> str:
    """The tolerances in words, each once."""
    return " or ".join(dict.fromkeys(cell.tolerance_basis for cell in outcome.cells))


def _families(outcome: GateOutcome) -> str:
    """Numbers of cells that share a correction: 3 cells; 2 critical and 1 advisory cell."""
    tiers = [cell.tier for cell in outcome.cells]
    if set(tiers) <= {CRITICAL}:
        return _cells(len(tiers))
    counts = [f"{tiers.count(tier)} {tier}" for tier in dict.fromkeys(tiers)]
    return f"{' and '.join(counts)} {'cells' if len(tiers) > 1 else 'cell'}"


def detectable(outcome: GateOutcome) -> str:
    """The smallest true rise that this number of images can show, over the cells."""
    uncertain = [cell for cell in outcome.cells if cell.se > 0]
    if not uncertain:
        return "not applicable: both sides have the same features"
    least, most = (pick(uncertain, key=lambda cell: cell.detectable) for pick in (min, max))
    sizes = " to ".join(dict.fromkeys(_share(cell.detectable, cell) for cell in (least, most)))
    spread = ", depending on the cell," if least != most else ""
    return f"a true rise of {sizes}{spread} about three times in four; smaller ones less often"


def _row(cell: CellOutcome) -> Row:
    mark, name, *numbers = row(cell)
    tone = TONES[cell.verdict]
    return Span(mark, tone=tone), Span(name, tone=tone), *numbers


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"


def _share(value: float, cell: CellOutcome) -> str:
    size = significant(value)
    return f"{size} ({percent(value / cell.baseline_score)})" if cell.baseline_score > 0 else size
