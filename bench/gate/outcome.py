"""The outcome of a gate, cell by cell: the data that every report is written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import EXIT_INCONCLUSIVE, EXIT_OK, EXIT_REGRESSION

if TYPE_CHECKING:
    from bench.grid.sections import GateSection

PASS = "pass"
BETTER = "better"  # significantly better
NOTED = "pass with note"  # significantly worse, within tolerance; or a regression in an advisory cell
SUSPICIOUS = "suspicious"  # better than chance and weights can explain, or equal although the weights differ
INCONCLUSIVE = "inconclusive"  # neither significantly worse nor shown to be within tolerance
WARN = "warn"  # significantly worse, perhaps beyond tolerance; or a regression in a supporting cell
FAIL = "fail"  # a regression in a critical cell
VERDICTS = (FAIL, WARN, INCONCLUSIVE, SUSPICIOUS, NOTED, BETTER, PASS)
CRITICAL, SUPPORTING, ADVISORY = "critical", "supporting", "advisory"


@dataclass(frozen=True)
class ChangedImage:
    """An image that changes the difference of a cell's scores.

    Attributes:
        image_id: The image.
        contribution: Its share of the difference, in units of the score: its influence over the number of images, mean over
            the seeds. Positive makes the candidate worse. Influences are centred, so only their sizes compare.
    """

    image_id: int
    contribution: float


@dataclass(frozen=True)
class CellOutcome:
    """One gated cell; scores are means over its seeds, lower is better.

    Attributes:
        name: The cell in words.
        settings: All its settings except the seed.
        seeds: The seeds, paired with the baseline's.
        baseline_score: The baseline's score.
        candidate_score: The candidate's score.
        difference: Candidate minus baseline: positive is worse.
        se: Jackknife standard error of the difference, over images.
        z: difference / se.
        p_swap: One-sided p-value of the swap test; None if z cleared the cell without it.
        p: The greater of p_swap and z's own p-value.
        p_holm: p after Holm's correction over all gated cells of the tier.
        permutations: Number of permutations behind the p-value.
        evaluated: Number of permutations whose distance was computed; a prediction settled the others (bench.gate.swap).
        prediction_error: Root mean square error of that prediction over the computed ones, in units of the score.
        tolerance: Largest difference that passes, in units of the score.
        detectable: Smallest true rise that would have been significant about three times in four.
        throughput_ratio: Candidate's images per reference workload over the baseline's; None if not recorded.
        verdict: One of VERDICTS.
        reasons: Reasons, as sentences without a full stop; empty for a plain pass.
        tier: critical, supporting or advisory.
        floor: The baseline's tokenizer reconstruction (rFID floor); None if it is not known on both sides.
        candidate_floor: The candidate's; another one means another tokenizer.
        tolerance_basis: The tolerance in words, as 10 % of the excess over the rFID floor.
        upper: Upper confidence limit of the true rise, one-sided at 1 − alpha.
        needed_tolerance: Smallest tolerance that an equal candidate is shown to keep four times in five.
        p_better: One-sided p-value for being better, after Holm's correction.
        changed: The images that changed most, the greatest contribution first.
    """

    name: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    baseline_score: float
    candidate_score: float
    difference: float
    se: float
    z: float
    p_swap: float | None
    p: float
    p_holm: float
    permutations: int
    evaluated: int
    prediction_error: float
    tolerance: float
    detectable: float
    throughput_ratio: float | None
    verdict: str
    reasons: tuple[str, ...]
    tier: str = CRITICAL
    floor: float | None = None
    candidate_floor: float | None = None
    tolerance_basis: str = ""
    upper: float = 0.0
    needed_tolerance: float = 0.0
    p_better: float = 1.0
    changed: tuple[ChangedImage, ...] = ()

    @property
    def excess(self) -> float | None:
        """The baseline's score above its rFID floor: what decoding can win. None without a floor, or above the score."""
        return self.baseline_score - self.floor if self.floor is not None and self.floor < self.baseline_score else None

    @property
    def relative(self) -> float:
        """Difference as a share of the baseline's score."""
        return self.difference / self.baseline_score if self.baseline_score > 0 else 0.0


@dataclass(frozen=True)
class GateOutcome:
    """A whole gate.

    Attributes:
        candidate: Path of the run.
        baseline: Path of the baseline.
        metric: Name of the score in reports.
        n_images: Test images.
        n_distinct: Distinct originals among them: the sampling units.
        rules: The settings that decided.
        rules_from: Origin of the settings, in words.
        same_weights: True if both sides have the same checkpoints.
        cells: The gated cells.
        extra_cells: Cells of the candidate that were not gated.
        seconds: Duration of the gate.
        unverified: Paths of the sides that recorded no hashes of their files: those of earlier versions.
        precisions: Precisions of the baseline's and the candidate's networks if both are known and differ.
    """

    candidate: str
    baseline: str
    metric: str
    n_images: int
    n_distinct: int
    rules: GateSection
    rules_from: str
    same_weights: bool
    cells: tuple[CellOutcome, ...]
    extra_cells: int
    seconds: float
    unverified: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()

    def fails(self, cell: CellOutcome) -> bool:
        """True if a cell fails the gate: by its verdict, or as an inconclusive one if the rules say so."""
        return cell.verdict == FAIL or (self.rules.inconclusive == "fail" and self._leaves_open(cell))

    @staticmethod
    def _leaves_open(cell: CellOutcome) -> bool:
        return cell.verdict == INCONCLUSIVE and cell.tier == CRITICAL

    @property
    def undecided(self) -> bool:
        """True if no cell fails, a critical one is inconclusive, and the rules ask for an exit code of its own."""
        return self.rules.inconclusive == "exit" and not self.failed and any(map(self._leaves_open, self.cells))

    @property
    def verdict(self) -> str:
        """Failed, inconclusive or passed, in lower case."""
        return "failed" if self.failed else "inconclusive" if self.undecided else "passed"

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return {"failed": EXIT_REGRESSION, "inconclusive": EXIT_INCONCLUSIVE, "passed": EXIT_OK}[self.verdict]

    @property
    def failed(self) -> bool:
        """True if any cell fails."""
        return any(self.fails(cell) for cell in self.cells)

    def count(self, verdict: str) -> int:
        """Number of cells with a verdict."""
        return sum(cell.verdict == verdict for cell in self.cells)


@dataclass(frozen=True)
class Refusal:
    """A gate without a decision: the reason and the exit code."""

    candidate: str
    baseline: str
    reason: str
    exit_code: int
