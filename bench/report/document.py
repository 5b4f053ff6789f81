"""A report as a document: its sections in the order of reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Block, Bullets, Callout, Document, Item, Paragraph, Section, Tone
from bench.report.sections import confirmed, groups, images, scores, speed, summary

if TYPE_CHECKING:
    from bench.report.view import View

INCOMPLETE = "This run is incomplete; the report shows the results so far."
NO_SCORE = "No cell has a score yet."


def report_document(view: View) -> Document:
    """The whole report."""
    return Document(f"maskbench: {view.record.name}", (*_summary(view), *_sections(view), caveats(view)))


def _summary(view: View) -> list[Section | Block]:
    parts: list[Section | Block] = [summary.run_facts(view)]
    if not view.record.complete:
        parts.append(Callout(INCOMPLETE))
    if view.best is None:
        return [*parts, Paragraph(NO_SCORE, Tone.STRONG)]
    return [*parts, summary.answer(view), summary.headlines(view), summary.best_card(view, view.best)]


def _sections(view: View) -> list[Section]:
    """The sections that this run has data for."""
    sections = [
        scores.grids(view),
        scores.front(view) if view.front else None,
        confirmed.confirmed(view, view.confirmation) if view.confirmation else None,
        groups.checkpoints(view) if view.by_checkpoint else None,
        groups.seeds(view) if view.seeds else None,
        scores.references(view) if view.references else None,
        images.holes(view, view.best) if view.best else None,
        images.influential(view) if view.influential else None,
        speed.throughput(view, view.record.throughput) if view.record.throughput else None,
    ]
    return [section for section in sections if section is not None]


def caveats(view: View) -> Section:
    """The caveats, to read before quoting a number."""
    if not view.caveats:
        return Section("Caveats", (Paragraph("None."),))
    return Section("Caveats", (Bullets(tuple(Item(c.text, mark="⚠", tone=Tone.WARNING) for c in view.caveats)),))
