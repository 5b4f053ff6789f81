"""A gate as JUnit XML, which every CI server can show: one test case per cell.

A failing cell is a failure, an inconclusive cell that passes is skipped, a refusal is an error; notes go to system-out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from bench.document.text import clean
from bench.gate.document import HEADER, row, summary
from bench.gate.outcome import INCONCLUSIVE, GateOutcome, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

SUITE = "maskbench gate"


def render_junit(outcome: GateOutcome) -> str:
    """A gate as JUnit XML."""
    cases = []
    for cell in outcome.cells:
        case = _case(cell.name, outcome.seconds / len(outcome.cells))
        details = "\n".join(f"{name}: {_valid(text)}" for name, text in zip(HEADER[2:], row(cell)[2:], strict=True))
        if outcome.fails(cell):
            _child(case, "failure", summary(cell), details, type=cell.verdict)
        else:
            if cell.verdict == INCONCLUSIVE:
                _child(case, "skipped", summary(cell))
            ET.SubElement(case, "system-out").text = f"{_valid(summary(cell))}\n{details}"
        cases.append(case)
    return _suite(cases, outcome.seconds)


def render_refusal(refusal: Refusal) -> str:
    """A refusal as JUnit XML, with its reason."""
    case = _case("comparable", 0.0)
    _child(case, "error", refusal.reason, type="refused")
    return _suite([case], 0.0)


def _suite(cases: Sequence[ET.Element], seconds: float) -> str:
    counts = {"tests": str(len(cases)), "time": f"{seconds:.3f}"}
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        counts[name] = str(sum(case.find(tag) is not None for case in cases))
    root = ET.Element("testsuites", {"name": SUITE, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": SUITE, **counts})
    suite.extend(cases)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(name: str, seconds: float) -> ET.Element:
    return ET.Element("testcase", {"classname": "maskbench.gate", "name": _valid(name), "time": f"{seconds:.3f}"})


def _child(case: ET.Element, tag: str, message: str, text: str = "", **attributes: str) -> None:
    ET.SubElement(case, tag, {"message": _valid(message), **attributes}).text = text or None


def _valid(text: str) -> str:
    """Text without the characters that XML 1.0 forbids (`clean` removes all but two of them)."""
    return clean(text).replace("\ufffe", "").replace("\uffff", "")
