"""A verification as a document: the verdict, every damage with its file, and what could not be checked.

run         the run folder
intact      true if nothing is damaged
damages     what is damaged: kind (damaged, missing or edited), file, text
repaired    the same for what --repair has repaired
unchecked   what could not be checked, and why
checked     numbers of files, blocks of stored work and rows that were checked
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.model import Bullets, Document, Facts, Item, Paragraph, Section, Tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.model import Block
    from bench.verify.findings import Damage, Findings

REMEDY = "`maskbench verify RUN --repair` computes these again, from the run's models and images."


def findings_document(findings: Findings) -> Document:
    """The whole verification."""
    parts: list[Section | Block] = [
        Facts((("run", str(findings.run)), *((what, f"{number:,}") for what, number in findings.checked.items())))
    ]
    if findings.damages:
        parts.append(Section("Damage", (_bullets(findings.damages, "✗", Tone.BAD), Paragraph(REMEDY))))
    if findings.repaired:
        parts.append(Section("Repaired", (_bullets(findings.repaired, "✓", Tone.GOOD),)))
    if findings.unchecked:
        parts.append(Section("Not checked", (Bullets(tuple(map(Item, findings.unchecked))),)))
    return Document(_headline(findings), tuple(parts), Tone.GOOD if findings.intact else Tone.BAD)


def _headline(findings: Findings) -> str:
    if findings.damages:
        return f"Damaged: {len(findings.damages)} found"
    return f"Repaired: {len(findings.repaired)}" if findings.repaired else "No damage found"


def _bullets(damages: Sequence[Damage], mark: str, tone: Tone) -> Bullets:
    return Bullets(tuple(Item(f"{damage.kind}: {damage.text}", damage.file, mark, tone) for damage in damages))
